"""The one HTTP client of all downloads: httpx2, and the rules that make it safe for large files from strange servers.

Redirects are few and stay on the web, bodies come as they were sent, and a server that is too slow is left. Every error
names the address.
"""

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import httpx2

from stages import __version__
from stages.artifacts.errors import DataError

MOST_REDIRECTS = 5

SLOWEST = 1024
"""Bytes per second below which a server is left, over twice the timeout."""

_AGAIN = {408, 425, 429, 500, 502, 503, 504}
"""HTTP statuses that may be gone a moment later."""

_LONGEST_RETRY_AFTER = 60.0


class NotThereError(Exception):
    """The server has no such file (HTTP 404 or 410)."""


class RangeRefusedError(Exception):
    """The server cannot continue the partial file (HTTP 416)."""


class PassingError(Exception):
    """A failure that may be gone a moment later.

    Args:
        message: what happened, in words, without the address.
        retry_after: seconds that the server asks to wait, ``None`` where it says nothing.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class CutError(PassingError):
    """The connection ended before the body did."""


class Answer:
    """The answer to a request, whose body is still to be read.

    Attributes:
        status: the HTTP status, one of those that were asked for.
        headers: by name, in any case.
    """

    def __init__(self, response: httpx2.Response, watch: "_Watch") -> None:
        self._response, self._watch = response, watch
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers

    @property
    def size(self) -> int | None:
        """Bytes of the body that the server announces; ``None`` where it does not."""
        text = self.headers.get("Content-Length", "")
        return int(text) if text.isascii() and text.isdigit() else None

    def blocks(self) -> Iterator[bytes]:
        """The body as it was sent, also where that is compressed.

        Raises:
            CutError: when it breaks off.
            PassingError: when the server is silent or too slow, or the network fails.
        """
        try:
            for block in self._response.iter_raw():
                self._watch.received += len(block)
                yield block
        except httpx2.TransportError as error:
            raise self._watch.explain(error) from error
        if self._watch.too_slow:  # a body without a length has then ended like a whole one
            raise self._watch.slow()


@contextmanager
def open_url(url: str, headers: Mapping[str, str], *, timeout: float, hint: str) -> Iterator[Answer]:
    """Ask for a file, or for the rest of it where ``headers`` name a ``Range``.

    The status of the answer is 200, with a range also 206, and 304 where ``headers`` have a condition.

    Args:
        url: an http or https address.
        headers: sent along.
        timeout: seconds that the server may be silent.
        hint: what to do where trying again would not help.

    Raises:
        NotThereError: the server has no such file.
        RangeRefusedError: the server refuses the range.
        PassingError: the server cannot be reached, is busy or too slow.
        DataError: anything else, which trying again would not change.
    """
    with _client(url, timeout, hint) as client, _Watch(2 * timeout) as watch:
        try:
            response = _follow(client, url, headers, watch, hint)
        except (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError) as error:
            raise DataError(f"{url} cannot be asked for: {error}", hint) from error
        except httpx2.TransportError as error:
            if problem := _certificate_problem(error):
                raise DataError(
                    f"{url}: the certificate of the server cannot be verified: {problem}",
                    f"Check the clock and the certificates of this machine (SSL_CERT_FILE names others). {hint}",
                ) from error
            raise watch.explain(error) from error
        with closing(response):
            _require_expected(url, response, headers, hint)
            yield Answer(response, watch)


def require_safe_redirect(url: str, target: str, hint: str) -> None:
    """Refuse to leave the web, and to give encryption up.

    Raises:
        DataError: naming both addresses.
    """
    scheme, before = _scheme(target), _scheme(url)
    if scheme not in ("http", "https") or (before == "https" and scheme != "https"):
        raise DataError(f"{url} redirects to {target}, which is no {before} address", hint)


@contextmanager
def closing(response: httpx2.Response) -> Iterator[None]:
    """Close the response, whatever the network says to that."""
    try:
        yield
    finally:
        with suppress(httpx2.TransportError):
            response.close()


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower()


def _client(url: str, timeout: float, hint: str) -> httpx2.Client:
    if _scheme(url) not in ("http", "https"):
        raise DataError(f"{url} is not an http or https address", hint)
    agent = {"User-Agent": f"cocorec/{__version__}", "Accept-Encoding": "identity"}
    try:
        return httpx2.Client(headers=agent, timeout=timeout)
    except (ImportError, ValueError, httpx2.InvalidURL) as error:
        raise DataError(
            f"{url}: the proxy that the environment names cannot be used: {error}",
            "Correct HTTP_PROXY, HTTPS_PROXY or ALL_PROXY, or unset them.",
        ) from error


def _follow(client: httpx2.Client, url: str, headers: Mapping[str, str], watch: "_Watch", hint: str) -> httpx2.Response:
    """The answer at the end of the redirects."""
    try:
        request = client.build_request("GET", url, headers=dict(headers), extensions={"trace": watch.trace})
    except httpx2.InvalidURL as error:
        raise DataError(f"{url} is not an address: {error}", hint) from error
    for _ in range(MOST_REDIRECTS + 1):
        response = client.send(request, stream=True)
        if response.next_request is None:
            return response
        with closing(response):
            require_safe_redirect(str(request.url), str(response.next_request.url), hint)
        request = response.next_request
    raise DataError(f"{url}: redirected more than {MOST_REDIRECTS} times, in a circle (last {request.url})", hint)


def _require_expected(url: str, response: httpx2.Response, headers: Mapping[str, str], hint: str) -> None:
    """Turn every status but those that were asked for into an error."""
    status = response.status_code
    told = f"HTTP {status} {response.reason_phrase}".strip()
    asked = {name.lower() for name in headers}
    if (
        status == 200
        or (status == 206 and "range" in asked)
        or (status == 304 and asked & {"if-none-match", "if-modified-since"})
    ):
        return
    if status in (404, 410):
        raise NotThereError(url)
    if status == 416 and "range" in asked:
        raise RangeRefusedError(url)
    if status in _AGAIN:
        asked_wait = response.headers.get("Retry-After", "")
        seconds = float(asked_wait) if asked_wait.isascii() and asked_wait.isdigit() else None
        raise PassingError(told, None if seconds is None else min(seconds, _LONGEST_RETRY_AFTER))
    if status == 206:
        raise DataError(f"{url}: the whole file was asked for, and the server sent a part of it ({told})", hint)
    if 200 <= status < 300:
        raise DataError(f"{url}: the server answered without the file ({told})", hint)
    if 300 <= status < 400:
        target = response.headers.get("Location", "nowhere")
        raise DataError(f"{url} redirects to {target}, which is no address of the web ({told})", hint)
    raise DataError(f"{url}: the server refuses ({told})", hint)


def _certificate_problem(error: BaseException | None) -> str | None:
    """What is wrong with the server's certificate, if that is the error or a cause of it."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return str(error.verify_message)
        error = error.__cause__ or error.__context__
    return None


class _Watch:
    """Ends a connection over which too little comes, also one whose server sends a byte now and then.

    Args:
        seconds: the time over which :data:`SLOWEST` is measured.

    Attributes:
        received: bytes of the body so far.
        too_slow: the connection was ended.
    """

    def __init__(self, seconds: float) -> None:
        self.received = 0
        self.too_slow = False
        self._seconds = seconds
        self._socket: Any = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def trace(self, name: str, info: dict[str, Any]) -> None:
        """Hear from the client of each connection that it makes."""
        stream: Any = info.get("return_value")
        if name.startswith("connection.") and hasattr(stream, "get_extra_info"):
            self._socket = stream.get_extra_info("socket")

    def slow(self) -> PassingError:
        """The error for a connection that was ended."""
        return PassingError(f"the server sent less than {SLOWEST:,} bytes a second")

    def explain(self, error: httpx2.TransportError) -> PassingError:
        """What went wrong, in words."""
        if self.too_slow:
            return self.slow()
        if isinstance(error, httpx2.TimeoutException):
            return PassingError("the server did not answer in time")
        if isinstance(error, httpx2.RemoteProtocolError):
            return CutError(f"the connection was cut: {error}")
        return PassingError(str(error) or type(error).__name__)

    def _run(self) -> None:
        before = 0
        while not self._ended.wait(self._seconds):
            if self.received - before < SLOWEST * self._seconds:
                self.too_slow = True
                with suppress(OSError, AttributeError):  # not connected yet, or not any more
                    self._socket.shutdown(socket.SHUT_RDWR)
            before = self.received
