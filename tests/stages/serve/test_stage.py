import json
import os
import shutil
import signal
import socket
import threading
import time

import pytest
from served import serving, until

from stages.artifacts.errors import UsageError
from stages.artifacts.names import MODEL_CONFIG, MODEL_WEIGHTS
from stages.serve.options import ServeOptions
from stages.serve.stage import _bound, one_line, serve


def test_an_address_that_is_taken_or_none(trained_once):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"cannot listen at 127.0.0.1 port {port}: Address already in use"):
            serve(ServeOptions(port=port), workdir=trained_once)
    for host in ("not.an.address.invalid", "a" * 300, "203.0.113.7"):
        with pytest.raises(UsageError, match=r"cannot listen at"):
            serve(ServeOptions(host=host, port=0), workdir=trained_once)


def test_answers_are_sent_at_once():
    """The second part of an answer must not wait for an acknowledgement of the first, which comes 40 ms later."""
    with _bound(ServeOptions(port=0)) as listening:
        listening.listen()
        with socket.create_connection(listening.getsockname()), listening.accept()[0] as accepted:
            assert accepted.proto == socket.IPPROTO_TCP  # what asyncio asks before it sets TCP_NODELAY


def test_one_line():
    assert one_line("a\nb\x1b\u2028ä") == "a\\nb\\x1b\\u2028ä"


class Load:
    """Clients that ask all the time, and what they got.

    Attributes:
        answers: status and version of the model, in the order of the answers.
        lost: what went wrong instead of an answer.
    """

    def __init__(self, served, clients=4):
        self.answers, self.lost = [], []
        self._served, self._end = served, threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self._end.set()
        for thread in self._threads:
            thread.join(60)

    def _ask(self, number):
        asked = 0
        while not self._end.is_set():
            try:
                found = self._served.recommend(user_id=f"user-{(asked * 7 + number) % 300:03}")
                self.answers.append((found.status, found.headers.get("x-cocorec-model"), found.body))
            except OSError as error:
                self.lost.append(error)
            asked += 1
            time.sleep(0.01)


def test_a_new_model_is_taken_without_losing_a_request(trained, train_small, tmp_path):
    other = shutil.copytree(trained, tmp_path / "other")
    train_small(other, seed=3)
    with serving(trained, "--poll-seconds=0.1") as served:
        old = served.get("/healthz").json["model"]
        with Load(served) as load:
            until(lambda: len(load.answers) > 20)
            shutil.copy(other / MODEL_WEIGHTS, trained / MODEL_WEIGHTS)  # half of it
            until(lambda: served.metric("cocorec_model_stale") == 1)
            assert served.get("/healthz").json["status"] == "stale"
            shutil.copy(other / MODEL_CONFIG, trained / MODEL_CONFIG)
            until(lambda: served.metric("cocorec_model_stale") == 0)
            seen = len(load.answers)
            until(lambda: len(load.answers) > seen + 20)
        new = served.get("/healthz").json["model"]
        assert load.lost == []
        assert {status for status, _, _ in load.answers} == {200}
        versions = [version for _, version, _ in load.answers]
        assert set(versions) == {old, new}
        # Each user has one answer of each model, nothing in between.
        by_user = {}
        for _, version, body in load.answers:
            by_user.setdefault((version, json.loads(body)["user_id"]), set()).add(body)
        assert {len(bodies) for bodies in by_user.values()} == {1}
        assert served.end() == 0


def test_sigterm_lets_requests_end(trained_once):
    with serving(trained_once) as served, served.open() as connection:
        body = b'{"history": []}'
        connection.sendall(
            b"POST /recommend HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"
        )
        until(lambda: served.metric("cocorec_http_requests_active") == 1)
        served.process.send_signal(signal.SIGTERM)
        until(lambda: not _listens(served.port))
        assert served.process.poll() is None
        connection.sendall(body[1:])
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        assert served.process.wait(30) == 0
        assert served.said[-1].startswith("ended")


def _listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_after_sigkill_the_same_command_serves_at_once(trained_once):
    with serving(trained_once) as served:
        before, port = served.recommend(user_id="user-001").body, served.port
        served.end(signal.SIGKILL)
    began = time.monotonic()
    with serving(trained_once, f"--port={port}") as served:
        assert served.port == port
        assert served.recommend(user_id="user-001").body == before
        assert time.monotonic() - began < 60
        served.process.send_signal(signal.SIGINT)
        assert served.process.wait(30) == 0
    assert not [path for path in trained_once.rglob("*") if ".tmp-" in path.name]
    assert os.access(trained_once, os.W_OK)
