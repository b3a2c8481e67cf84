"""A web server on this machine that has a data set in the layout of Amazon Reviews 2023, and can misbehave."""

import hashlib
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MODIFIED = "Mon, 01 Jan 2024 00:00:00 GMT"


@dataclass
class Fault:
    """What is done instead of, or beside, answering one request as usual."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    """Bytes of the body after which the connection is closed."""
    length: int | None = None
    """Announced in place of the true length; -1 announces none."""
    silent: float = 0.0
    """Seconds of silence after ``cut`` bytes."""
    then: Callable[[], None] = lambda: None
    """Called once the answer is sent."""


@dataclass
class Mirror:
    """The server.

    Attributes:
        url: its base URL.
        files: by path below the base URL.
        faults: by path; one is used up per request.
        ranges: it sends parts of files.
        if_range: it respects If-Range.
        validators: which of ETag and Last-Modified it sends.
        requests: path and headers of each request.
        sent: bytes of bodies sent, by path.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[Fault]] = field(default_factory=lambda: defaultdict(list))
    ranges: bool = True
    if_range: bool = True
    validators: tuple[str, ...] = ("ETag", "Last-Modified")
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, category: str, folder: Path, kind: str = "last_out_w_his") -> None:
        """Serve the files of a folder as those of a category."""
        for path in sorted(folder.glob(f"{category}.*.csv.gz")):
            self.files[f"benchmark/5core/{kind}/{path.name}"] = path.read_bytes()
        meta = f"meta_{category}.jsonl.gz"
        self.files[f"raw/meta_categories/{meta}"] = (folder / meta).read_bytes()

    @property
    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [path for path, _ in self.requests]

    def marks(self, body: bytes) -> dict[str, str]:
        """The validators of a file."""
        marks = {"ETag": f'"{hashlib.sha256(body).hexdigest()[:16]}"', "Last-Modified": MODIFIED}
        return {name: marks[name] for name in self.validators}


@contextmanager
def running() -> Iterator[Mirror]:
    """A server on a free port of this machine, until the block ends."""
    mirror = Mirror()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self, mirror)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    mirror.url = f"http://127.0.0.1:{server.server_port}/data"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield mirror
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def answer(handler: BaseHTTPRequestHandler, mirror: Mirror) -> None:
    """Answer one request."""
    path = handler.path.removeprefix("/data/")
    mirror.requests.append((path, dict(handler.headers)))
    fault = mirror.faults[path].pop(0) if mirror.faults[path] else Fault()
    body = mirror.files.get(path)
    if fault.status or body is None:
        _head(handler, fault.status or 404, {"Content-Length": "0", **fault.headers})
        return
    marks = mirror.marks(body)
    asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range") or "")
    same = handler.headers.get("If-Range") in (None, *marks.values())
    start, status, headers = 0, 200, {}
    if asked and mirror.ranges and (same or not mirror.if_range):
        start, status = int(asked[1]), 206
        if start >= len(body):
            _head(handler, 416, {"Content-Range": f"bytes */{len(body)}", "Content-Length": "0"})
            return
        headers = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
    length = len(body) - start if fault.length is None else fault.length
    if length >= 0:
        headers["Content-Length"] = str(length)
    _head(handler, status, {**headers, **marks, **fault.headers})
    data = body[start:] if fault.cut is None else body[start : start + fault.cut]
    mirror.sent[path] += len(data)
    try:
        handler.wfile.write(data)
        handler.wfile.flush()
        time.sleep(fault.silent)
    except OSError:
        pass  # whoever asked has gone
    fault.then()


def _head(handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str]) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
