"""What a server can do wrong, byte by byte: 49 ways, and a server that does one of them to everybody who asks."""

import contextlib
import gzip
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Serve = Callable[[socket.socket], None]

BODY = b"user_id,item_id,timestamp\nu,B,2\nu,A,1\n"
"""The whole file, as a server that does nothing wrong sends it."""

_OK = b"HTTP/1.1 200 OK\r\n"
_WHOLE = b"%sContent-Length: %d\r\n\r\n%s" % (_OK, len(BODY), BODY)


def sending(*blocks: bytes, pause: float = 0.0, reset: bool = False, wait: float = 0.0) -> Serve:
    """Sends blocks with pauses between them, waits, and ends the connection, in good order or with a reset."""

    def serve(connection: socket.socket) -> None:
        for block in blocks:
            connection.sendall(block)
            time.sleep(pause)
        time.sleep(wait)
        if reset:
            time.sleep(0.1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return serve


def _status(line: str, *headers: str) -> Serve:
    head = "\r\n".join([f"HTTP/1.1 {line}", *headers, "Content-Length: 0", "Connection: close"])
    return sending(head.encode("latin-1") + b"\r\n\r\n")


def _body(headers: bytes, body: bytes, **more: float) -> Serve:
    return sending(_OK + headers + b"\r\n\r\n" + body, **more)


def _chunked(body: bytes) -> Serve:
    return _body(b"Transfer-Encoding: chunked", body)


def _bomb() -> bytes:
    """Some 25 million of the shortest rows there can be, in less than half a megabyte: members of one gzip file."""
    rows = gzip.compress(b"u,i,1\n" * 500_000, mtime=0)
    return gzip.compress(b"user_id,item_id,timestamp\n", mtime=0) + 50 * rows


def _whole_with_length(length: int) -> bytes:
    return b"Content-Length: %d" % length


MISBEHAVIOURS: dict[str, tuple[Serve, str]] = {
    "closes at once": (sending(), "cut|disconnected"),
    "resets at once": (sending(reset=True), "reset|cut|disconnected"),
    "resets in the head": (sending(_OK, reset=True), "reset|cut|disconnected"),
    "resets in the body": (sending(_OK + b"Content-Length: 100\r\n\r\nhello", reset=True), "reset|broke off"),
    "says nothing": (sending(wait=2), "not answer in time|less than"),
    "stops in the head": (sending(_OK, wait=2), "not answer in time|less than"),
    "stops in the body": (sending(_OK + b"Content-Length: 100\r\n\r\nhello", wait=2), "not answer in time|less than"),
    "drips its head": (sending(_OK + b"X: ", *[b"x"] * 200, pause=0.05), "less than"),
    "drips headers": (sending(_OK, *[b"X: y\r\n"] * 100, pause=0.05), "less than|HTTP|head"),
    "drips its body": (sending(_OK + b"Content-Length: 9999\r\n\r\n", *[b"x"] * 200, pause=0.05), "less than"),
    "drips without a length": (sending(_OK + b"\r\n", *[b"x"] * 200, pause=0.05), "less than"),
    "drips chunks": (
        sending(_OK + b"Transfer-Encoding: chunked\r\n\r\n", *[b"1\r\nx\r\n"] * 100, pause=0.05),
        "less than",
    ),
    "is no web server": (sending(b"SSH-2.0-OpenSSH_9.2\r\n"), "http://"),
    "sends zeros": (sending(bytes(1000)), "http://"),
    "sends the body alone": (sending(BODY), "http://"),
    "speaks HTTP/0.9": (sending(b"<html>hello</html>"), "http://"),
    "has a status of words": (sending(b"HTTP/1.1 OK 200\r\n\r\n" + BODY), "http://"),
    "has a status of four digits": (sending(b"HTTP/1.1 2000 OK\r\n\r\n" + BODY), "http://"),
    "has an unknown status": (_status("799 What"), "HTTP 799"),
    "goes on for ever": (sending(*[b"HTTP/1.1 100 Continue\r\n\r\n"] * 100, pause=0.05), "less than|HTTP|cut"),
    "switches protocols": (_status("101 Switching Protocols", "Upgrade: h2c"), "http://"),
    "has an endless header": (sending(_OK + b"X: " + b"x" * (1 << 20)), "http://"),
    "has a header without a colon": (sending(_OK + b"nothing\r\n\r\n" + BODY), "http://"),
    "has a header with a zero": (sending(_OK + b"X: a\0b\r\n\r\n" + BODY), "http://"),
    "has a length of words": (_body(b"Content-Length: many", BODY), "http://"),
    "has a negative length": (_body(b"Content-Length: -1", BODY), "http://"),
    "has two lengths": (_body(b"Content-Length: 5\r\nContent-Length: 9", BODY), "http://"),
    "promises a length that no disk has": (_body(_whole_with_length(10**18), BODY), "--max-size"),
    "promises more than it sends": (_body(_whole_with_length(len(BODY) + 1), BODY), "broke off"),
    "ends a chunk too soon": (_chunked(b"ffff\r\nhello"), "broke off|cut"),
    "has chunks of no size": (_chunked(b"xyz\r\nhello\r\n0\r\n\r\n"), "http://"),
    "never ends its chunks": (_chunked(b"%x\r\n%s\r\n" % (len(BODY), BODY)), "broke off|cut"),
    "sends no content": (_status("204 No Content"), "without the file .HTTP 204"),
    "resets the content": (_status("205 Reset Content"), "without the file .HTTP 205"),
    "has accepted": (_status("202 Accepted"), "without the file .HTTP 202"),
    "sends a part": (
        sending(b"HTTP/1.1 206 Part\r\nContent-Range: bytes 0-37/99\r\n" + _WHOLE.partition(b"\r\n")[2]),
        "a part of it",
    ),
    "says not modified": (_status("304 Not Modified"), "HTTP 304"),
    "redirects to itself": (_status("302 Found", "Location: /log.csv"), "redirected more than 5 times"),
    "redirects to ftp": (_status("302 Found", "Location: ftp://127.0.0.1/log.csv"), "redirects to ftp://"),
    "redirects to a file": (_status("301 Moved", "Location: file:///etc/passwd"), "redirects to file://"),
    "redirects to no address": (_status("302 Found", "Location: http://[::1"), "redirects to"),
    "redirects to a port of words": (_status("302 Found", "Location: http://a:b/"), "redirects to|HTTP 302"),
    "redirects without a target": (_status("302 Found"), "HTTP 302"),
    "lets choose": (_status("300 Multiple Choices"), "HTTP 300"),
    "wants a password": (_status("401 No", 'WWW-Authenticate: Basic realm="x"'), "HTTP 401"),
    "forbids": (_status("403 Forbidden"), "HTTP 403"),
    "fails": (_status("500 Internal Server Error"), "HTTP 500"),
    "is gone": (_status("410 Gone"), "no such file"),
    "sends a bomb": (_body(b"Content-Type: text/csv", _bomb()), "unpacks to more than"),
}
"""By name, what it does, and what the error says."""


@contextmanager
def misbehaving(serve: Serve) -> Iterator[str]:
    """A server on a free port of this machine; yields its base address."""

    def accept(own: socket.socket) -> None:
        while True:
            try:
                connection, _ = own.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):  # whoever asked has gone
            connection.recv(1 << 16)
            serve(connection)

    own = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=accept, args=(own,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{own.getsockname()[1]}"
    finally:
        own.shutdown(socket.SHUT_RDWR)
        own.close()
