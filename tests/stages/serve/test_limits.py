import http.client
import json
import time

from served import until


def head(length, path="/recommend"):
    return (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def read(connection):
    """The status and the JSON of an answer, after which the connection is closed."""
    response = http.client.HTTPResponse(connection, method="POST")
    response.begin()
    content = json.loads(response.read())
    assert response.getheader("connection") == "close"
    assert connection.recv(1) == b""
    return response.status, content, response.getheader("retry-after")


def test_a_body_that_is_too_large(narrow):
    found = narrow.request("POST", "/recommend", b" " * 2049)
    assert (found.status, "larger than 2 KiB" in found.json["error"]) == (413, True)
    assert narrow.request("POST", "/recommend", b'{"history": []}' + b" " * 2000).status == 200
    assert narrow.request("POST", "/recommend", b" " * 3_000_000).status == 413


def test_a_history_of_a_million_items(server):
    history = json.dumps({"history": ["item-001"] * 1_000_000})
    assert server.request("POST", "/recommend", history).status == 413
    found = server.recommend(history=["item-001"] * 20_000)
    assert (found.status, "at most 10000 items" in found.json["error"]) == (422, True)
    assert server.recommend(history=["item-001"] * 10_000).status == 200


def test_a_body_that_never_ends(narrow):
    with narrow.open() as connection:
        connection.sendall(
            b"POST /recommend HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        for _ in range(5):
            connection.sendall(b"400\r\n" + b" " * 1024 + b"\r\n")
        assert read(connection)[0] == 413


def test_a_body_that_does_not_arrive(narrow):
    with narrow.open() as connection:
        began = time.monotonic()
        connection.sendall(head(10) + b"{")
        status, content, _ = read(connection)
        assert (status, "did not arrive within 0.6 seconds" in content["error"]) == (408, True)
        assert time.monotonic() - began < 10


def test_too_many_requests(narrow):
    until(lambda: narrow.metric("cocorec_http_requests_active") == 0)
    with narrow.open() as first, narrow.open() as second:
        for connection in (first, second):
            connection.sendall(head(15))
        until(lambda: narrow.metric("cocorec_http_requests_active") == 2)
        found = narrow.recommend(history=[])
        assert (found.status, found.headers["retry-after"]) == (429, "1")
        assert "too many requests" in found.json["error"]
        assert narrow.get("/healthz").status == 200  # probes are answered all the same
        for connection in (first, second):
            connection.sendall(b'{"history": []}')
            response = http.client.HTTPResponse(connection, method="POST")
            response.begin()
            assert response.status == 200
            response.read()
    assert narrow.recommend(history=[]).status == 200


def test_a_client_that_goes_away(narrow):
    with narrow.open() as connection:
        connection.sendall(head(10) + b"{")
    until(lambda: narrow.metric("cocorec_http_requests_active") == 0)
    assert narrow.recommend(history=[]).status == 200


def test_what_is_no_http(narrow):
    for sent in (b"\x16\x03\x01\x02\x00", b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\n\r\n"):
        with narrow.open() as connection:
            connection.sendall(sent)
            assert connection.recv(100).startswith((b"HTTP/1.1 400", b"HTTP/1.1 505", b""))
    with narrow.open() as connection:
        connection.sendall(head(-1))
        assert connection.recv(100).startswith(b"HTTP/1.1 400")
    assert narrow.recommend(history=[]).status == 200


def test_nothing_of_all_this_is_in_the_log(narrow):
    assert not [line for line in narrow.said if "Traceback" in line or "Exception" in line]
