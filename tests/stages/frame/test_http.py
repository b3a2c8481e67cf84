"""What servers do wrong, down to the bytes, and that every error names the address."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from stages.artifacts.errors import DataError
from stages.frame.http import (
    CutError,
    NotThereError,
    PassingError,
    RangeRefusedError,
    open_url,
    require_safe_redirect,
)

Serve = Callable[[socket.socket], None]
Server = Callable[[Serve], str]
OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Makes a server of a function that is handed each connection once the request has arrived."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    listening: list[socket.socket] = []

    def accept(own: socket.socket, serve: Serve) -> None:
        while True:
            try:
                connection, _ = own.accept()
            except OSError:
                return
            with connection:
                connection.recv(1 << 16)
                with contextlib.suppress(OSError):  # whoever asked has gone
                    serve(connection)

    def start(serve: Serve) -> str:
        own = socket.create_server(("127.0.0.1", 0))
        listening.append(own)
        threading.Thread(target=accept, args=(own, serve), daemon=True).start()
        return f"http://127.0.0.1:{own.getsockname()[1]}/x"

    yield start
    for own in listening:
        own.shutdown(socket.SHUT_RDWR)
        own.close()


def sending(*blocks: bytes, pause: float = 0.0, reset: bool = False) -> Serve:
    def serve(connection: socket.socket) -> None:
        for block in blocks:
            connection.sendall(block)
            time.sleep(pause)
        if reset:
            time.sleep(0.1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return serve


def read(url: str, timeout: float = 5.0, **headers: str) -> bytes:
    with open_url(url, headers, timeout=timeout, hint="a hint") as answer:
        return b"".join(answer.blocks())


def test_a_body_comes_as_it_was_sent(server: Server) -> None:
    url = server(sending(OK, b"Content-Length: 5\r\nContent-Encoding: gzip\r\n\r\nhello and more"))
    assert read(url) == b"hello"


def test_a_body_without_a_length_ends_with_the_connection(server: Server) -> None:
    assert read(server(sending(OK, b"\r\nhello"))) == b"hello"


@pytest.mark.parametrize(
    "head",
    [b"Content-Length: 10\r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\n10\r\nhello"],
)
def test_a_body_that_breaks_off_is_an_error(server: Server, head: bytes) -> None:
    with pytest.raises(CutError, match="cut"):
        read(server(sending(OK, head)))


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello"])
def test_a_reset_is_told_as_such(server: Server, answer: bytes) -> None:
    with pytest.raises(PassingError, match=r"reset|cut") as caught:
        read(server(sending(answer, reset=True)))
    assert "disk" not in str(caught.value)


@pytest.mark.parametrize(
    "start",
    [b"HTTP/1.1 200 OK\r\nX-Endless: ", OK + b"Content-Length: 100000\r\n\r\n", OK + b"\r\n"],
    ids=["headers", "body", "body without a length"],
)
def test_a_server_that_drips_is_left(server: Server, start: bytes) -> None:
    began = time.perf_counter()
    with pytest.raises(PassingError, match="less than 1,024 bytes a second"):
        read(server(sending(start, *[b"x"] * 200, pause=0.05)), timeout=0.5)
    assert 0.9 < time.perf_counter() - began < 5


def test_a_slow_server_that_is_fast_enough_is_waited_for(server: Server) -> None:
    blocks = [bytes(1000)] * 30
    assert len(read(server(sending(OK + b"\r\n", *blocks, pause=0.05)), timeout=0.4)) == 30_000


def test_a_silent_server_is_left(server: Server) -> None:
    with pytest.raises(PassingError, match="did not answer in time"):
        read(server(sending(b"", pause=2)), timeout=0.2)


@pytest.mark.parametrize(
    ("answer", "headers", "error", "message"),
    [
        (b"404 Not Found", {}, NotThereError, "http://"),
        (b"410 Gone", {}, NotThereError, "http://"),
        (b"416 No", {"Range": "bytes=5-"}, RangeRefusedError, "http://"),
        (b"416 No", {}, DataError, "refuses .HTTP 416 No"),
        (b"503 Busy\r\nRetry-After: 7", {}, PassingError, "HTTP 503 Busy"),
        (b"204 Nothing", {}, DataError, "without the file .HTTP 204 Nothing"),
        (b"206 Part", {}, DataError, "sent a part of it"),
        (b"304 Same", {}, DataError, "HTTP 304"),
        (b"302 Moved\r\nLocation: ftp://127.0.0.1/x", {}, DataError, "redirects to ftp://127.0.0.1/x"),
        (b"302 Moved\r\nLocation: file:///etc/passwd", {}, DataError, "redirects to file://"),
        (b"302 Moved\r\nLocation: data:,x", {}, DataError, "redirects to data:,x"),
        (b"302 Moved\r\nLocation: http://a:x/", {}, DataError, "redirects to http://a:x/"),
        (b"302 Moved\r\nLocation: /y", {}, DataError, "redirected more than 5 times"),
        (b"403 No", {}, DataError, "refuses .HTTP 403 No"),
    ],
)
def test_other_answers(
    server: Server, answer: bytes, headers: dict[str, str], error: type[Exception], message: str
) -> None:
    url = server(sending(b"HTTP/1.1 " + answer + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
    with pytest.raises(error, match=message) as caught:
        read(url, **headers)
    if error is DataError:
        assert url in str(caught.value) and "a hint" in str(caught.value)
    if error is PassingError:
        assert caught.value.retry_after == 7.0


def test_what_was_asked_for_is_no_error(server: Server) -> None:
    url = server(sending(b"HTTP/1.1 304 Same\r\n\r\n"))
    with open_url(url, {"If-None-Match": '"x"'}, timeout=5, hint="") as answer:
        assert answer.status == 304
    url = server(sending(b"HTTP/1.1 206 Part\r\nContent-Length: 1\r\n\r\nx"))
    with open_url(url, {"Range": "bytes=4-"}, timeout=5, hint="") as answer:
        assert (answer.status, answer.size, b"".join(answer.blocks())) == (206, 1, b"x")


def test_what_is_no_http() -> None:
    for url in ("file:///etc/passwd", "ftp://host/x", "/x"):
        with pytest.raises(DataError, match="is not an http or https address"):
            read(url)
    with pytest.raises(DataError, match="is not an address"):
        read("http://a:x/")
    with pytest.raises(DataError, match="cannot be asked for"):
        read("http:///x")


def test_a_proxy_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "gopher://127.0.0.1:1")
    with pytest.raises(DataError, match=r"http://host/x: the proxy .* cannot be used"):
        read("http://host/x")


def test_redirects_do_not_give_encryption_up() -> None:
    with pytest.raises(DataError, match="http://a/x, which is no https address"):
        require_safe_redirect("https://a/x", "http://a/x", "")
    require_safe_redirect("http://a/x", "https://a/x", "")
    require_safe_redirect("http://a/x", "http://b/x", "")
