"""``cocorec serve`` as a process of its own, and requests to it over HTTP."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass
class Answer:
    """What came back.

    Attributes:
        status: of HTTP.
        headers: by name in lower case.
        body: the bytes.
    """

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Served:
    """A server that runs.

    Attributes:
        process: of the server.
        port: at 127.0.0.1.
        said: lines of its stderr so far.
    """

    process: "subprocess.Popen[str]"
    port: int = 0
    said: list[str] = field(default_factory=list)

    def request(self, method: str, path: str, body: bytes | str | None = None, **headers: str) -> Answer:
        """One request on a connection of its own; a body is JSON unless headers say otherwise."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, sent)
            return self.answer(connection)
        finally:
            connection.close()

    @staticmethod
    def answer(connection: http.client.HTTPConnection) -> Answer:
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def recommend(self, **asked: Any) -> Answer:
        return self.request("POST", "/recommend", json.dumps(asked))

    def open(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def metric(self, name: str) -> float:
        """The value of a metric, spelt with its labels as Prometheus gets it."""
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.get("/metrics").body.decode(), re.MULTILINE)
        return 0.0 if found is None else float(found[1])

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; returns the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=60)


@contextmanager
def serving(workdir: Path, *options: str) -> Iterator[Served]:
    """Start ``cocorec serve`` at a free port; it is killed at the end if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cocorec_cli", "serve", "-w", str(workdir), "--port=0", "--device=cpu", *options],
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    served = Served(process)
    assert process.stderr
    try:
        for line in process.stderr:
            served.said.append(line.rstrip("\n"))
            if found := re.search(r"listening at http://127\.0\.0\.1:(\d+)", line):
                served.port = int(found[1])
                break
        assert served.port, served.said
        listener = threading.Thread(target=lambda: served.said.extend(map(str.rstrip, process.stderr)), daemon=True)
        listener.start()
        yield served
        listener_done = process.poll() is not None
        if listener_done:
            listener.join(10)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)


def until(holds: Any, seconds: float = 180) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never held"
        time.sleep(0.05)
