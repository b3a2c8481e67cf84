import contextlib
import time

from served import until


def closed_after(connection):
    """Seconds until the server closes a connection."""
    began = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while connection.recv(65_536):
            pass
    return time.monotonic() - began


def test_a_head_that_does_not_arrive(narrow):
    with narrow.open() as silent, narrow.open() as drips:
        drips.sendall(b"GET /healthz HTTP/1.1\r\n")
        assert closed_after(silent) < 10
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - began < 10:
                drips.sendall(b"A: b\r\n")
                time.sleep(0.1)
        assert time.monotonic() - began < 9


def test_a_second_head_that_does_not_arrive(narrow):
    with narrow.open() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /")
        assert closed_after(connection) < 10


def test_further_connections_are_closed(narrow):
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(narrow.open()) for _ in range(12)]
        further = stack.enter_context(narrow.open())
        assert closed_after(further) < 0.5
        assert all(connection.fileno() >= 0 for connection in held)
    until(lambda: _answers(narrow))


def _answers(server):
    try:
        return server.get("/healthz").status == 200
    except ConnectionError:
        return False


def test_requests_one_after_the_other_on_one_connection(narrow):
    with narrow.open() as connection:
        connection.sendall(2 * b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        found = b""
        while found.count(b"HTTP/1.1 200") < 2:
            found += connection.recv(65_536)
