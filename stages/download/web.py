"""HTTP requests by urllib, without file, ftp and data URLs and with few redirects.

urllib is enough for a handful of large files and keeps the download free of dependencies: it checks certificates,
heeds the proxy variables of the environment, and hands the body over as a stream.
"""

import http.client
import ssl
import urllib.error
import urllib.request
from email.message import Message
from typing import IO, cast
from urllib.parse import urlsplit

from stages import __version__
from stages.artifacts.errors import DataError, UsageError

MOST_REDIRECTS = 5

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
        message: what happened, in words.
        retry_after: seconds that the server asks to wait, ``None`` where it says nothing.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


def check_base_url(url: str) -> str:
    """The URL without a slash at its end.

    Raises:
        UsageError: when it is not a plain http or https address.
    """
    try:
        parts = urlsplit(url)
        port_fits = parts.port != 0
    except ValueError:
        port_fits = False
    plain = port_fits and all("!" <= letter <= "~" for letter in url)
    if not plain or parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"--base-url {url!r} is not an http or https address", "For example https://host/folder.")
    if parts.username is not None or parts.query or parts.fragment:
        raise UsageError(
            f"--base-url on {parts.hostname}: a user name, a query (?) or a fragment (#) cannot be part of it",
            "Give the address of a folder that can be read without them.",
        )
    return url.rstrip("/")


def open_url(url: str, headers: dict[str, str], timeout: float) -> http.client.HTTPResponse:
    """Ask for a file; the answer has status 200 or 206 and its body is still to be read.

    Args:
        url: an http or https address.
        headers: sent along.
        timeout: seconds that the server may be silent.

    Raises:
        NotThereError: the server has no such file.
        RangeRefusedError: the server refuses the range.
        PassingError: the server cannot be reached, or is busy.
        DataError: anything else, which trying again would not change.
    """
    request = urllib.request.Request(
        url, headers={"User-Agent": f"cocorec/{__version__}", "Accept-Encoding": "identity", **headers}
    )
    try:
        response = cast(http.client.HTTPResponse, _opener().open(request, timeout=timeout))
    except urllib.error.HTTPError as error:
        with error:
            raise _http_error(url, error) from error
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise DataError(
                f"{url}: the certificate of the server cannot be verified: {reason.verify_message}",
                "Check the clock and the certificates of this machine (SSL_CERT_FILE names others), or use --base-url.",
            ) from error
        raise PassingError(_described(reason)) from error
    if response.status not in (200, 206):
        with response:
            raise DataError(f"{url}: the server answered HTTP {response.status} without the file", _ELSEWHERE)
    return response


def passing(error: OSError | http.client.HTTPException) -> PassingError:
    """What went wrong while a body was read."""
    return PassingError(_described(error))


_ELSEWHERE = "Try again later, or name a mirror with --base-url."


class _Redirects(urllib.request.HTTPRedirectHandler):
    max_redirections = MOST_REDIRECTS
    max_repeats = 2

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        scheme = urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (req.type == "https" and scheme != "https"):
            raise DataError(f"{req.full_url} redirects to {newurl}, which is no {req.type} address", _ELSEWHERE)
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def _opener() -> urllib.request.OpenerDirector:
    """Like ``urllib.request.build_opener``, which cannot leave out the handlers of other schemes."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        _Redirects(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _http_error(url: str, error: urllib.error.HTTPError) -> Exception:
    if error.code in (404, 410):
        return NotThereError(url)
    if error.code == 416:
        return RangeRefusedError(url)
    if error.code in _AGAIN:
        asked = error.headers.get("Retry-After", "")
        seconds = min(float(asked), _LONGEST_RETRY_AFTER) if asked.isascii() and asked.isdigit() else None
        return PassingError(f"HTTP {error.code} {error.reason}", seconds)
    if 300 <= error.code < 400:
        return DataError(
            f"{url}: redirected more than {MOST_REDIRECTS} times, in a circle, or to no http address "
            f"(HTTP {error.code}, last {error.url})",
            _ELSEWHERE,
        )
    return DataError(f"{url}: the server refuses (HTTP {error.code} {error.reason})", _ELSEWHERE)


def _described(error: object) -> str:
    if isinstance(error, TimeoutError):
        return "the server did not answer in time"
    return str(error) or type(error).__name__
