"""Fetches one file: goes on where an earlier attempt stopped, tries again, and checks what arrived."""

import re
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from stages.artifacts.errors import DataError
from stages.download.checks import announced_sha256, gzip_problem, sha256_of
from stages.download.partial import Origin, Partial
from stages.frame.http import Answer, CutError, PassingError, RangeRefusedError, open_url
from stages.frame.reporter import Reporter

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 30.0
_ELSEWHERE = "Try again later, or name a mirror with --base-url."
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


@dataclass(frozen=True)
class Fetched:
    """A file that arrived whole and lies in its ``.part``.

    Attributes:
        part: the file.
        origin: the version that it is.
        size: bytes.
        sha256: its checksum, in hexadecimal.
        resumed: some of it had arrived in an earlier attempt.
    """

    part: Path
    origin: Origin
    size: int
    sha256: str
    resumed: bool


class Transfer:
    """The transfer of one file.

    Args:
        url: where it is.
        target: its final place; the file is received beside it.
        most_bytes: it may not be larger.
        retries: further attempts after failures that may pass.
        timeout: seconds that the server may be silent.
        reporter: is told about progress.
    """

    def __init__(
        self, url: str, target: Path, *, most_bytes: int, retries: int, timeout: float, reporter: Reporter
    ) -> None:
        self._url, self._target = url, target
        self._most_bytes, self._retries, self._timeout = most_bytes, retries, timeout
        self._reporter = reporter
        self._partial = Partial(target)
        self._resumed = False

    def run(self) -> Fetched:
        """Fetch the file.

        Raises:
            NotThereError: when the server has no such file.
            DataError: when it cannot be fetched, is too large, or is damaged.
            OSError: when the partial file cannot be written.
        """
        attempts = Retrying(
            retry=retry_if_exception_type(PassingError),
            stop=stop_after_attempt(self._retries + 1),
            wait=_seconds_to_wait,
            before_sleep=self._say,
            sleep=time.sleep,
            reraise=True,
        )
        try:
            return self._check(attempts(self._receive))
        except PassingError as problem:
            raise self._gave_up(problem) from problem

    def _say(self, state: RetryCallState) -> None:
        seconds = state.next_action.sleep if state.next_action else 0.0
        self._reporter.info(f"{self._target.name}: {_problem(state)}; trying again in {seconds:.0f} s")

    def _receive(self) -> Origin:
        """One attempt to receive what is still missing."""
        known = self._partial.origin()
        received = self._partial.size
        if known is None or known.url != self._url or (known.size is not None and received > known.size):
            known = None
        if known and received == known.size:
            self._require_room(received, received)
            self._resumed = True
            return known
        headers = {}
        if known and received and known.validator:
            headers = {"Range": f"bytes={received}-", "If-Range": known.validator}
        try:
            with open_url(self._url, headers, timeout=self._timeout, hint=_ELSEWHERE) as answer:
                return self._read(answer, known if headers else None, received)
        except RangeRefusedError:
            self._partial.forget()
            raise PassingError("the server cannot go on with the partial file, which is fetched anew") from None

    def _read(self, answer: Answer, known: Origin | None, received: int) -> Origin:
        """Write the body to the partial file.

        Args:
            answer: the answer, from the first byte on or, if its status is 206, from ``received`` on.
            known: the version that was asked to be continued, ``None`` where the whole file was asked for.
            received: bytes of it that are there.
        """
        origin = self._announced(answer)
        if answer.status == 206:
            span = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range") or "")
            if known is None or span is None or int(span[1]) != received or not origin.is_version_of(known):
                self._partial.forget()
                raise PassingError("the server sent another part or another version of the file, which is fetched anew")
            origin = replace(known, size=known.size or origin.size)
            self._require_room(origin.size, received)
            self._resumed = True
        else:
            if known:
                self._reporter.info(f"{self._target.name}: the server sends the file from its beginning")
            received = 0
            self._require_room(origin.size, received)
            self._partial.begin(origin)
            self._resumed = False
        with (
            self._partial.path.open("ab") as file,
            self._reporter.track(f"downloading {self._target.name}", origin.size, "bytes") as advance,
        ):
            advance(received)
            try:
                for block in answer.blocks():
                    received += len(block)
                    if received > self._most_bytes:
                        raise self._too_large(None)
                    file.write(block)
                    advance(len(block))
            except CutError as error:
                of = "" if origin.size is None else f" of {origin.size:,}"
                raise PassingError(f"the connection was cut after {received:,}{of} bytes") from error
        if origin.size is not None and received != origin.size:
            raise PassingError(f"the server sent {received:,} bytes instead of {origin.size:,}")
        return origin

    def _announced(self, answer: Answer) -> Origin:
        headers = answer.headers
        if answer.status == 206:
            span = _CONTENT_RANGE.fullmatch(headers.get("Content-Range") or "")
            size = int(span[3]) if span and span[3] != "*" else None
        else:
            size = answer.size
        etag = headers.get("ETag")
        strong = etag if etag and etag.startswith('"') else None
        return Origin(self._url, strong, headers.get("Last-Modified"), size, announced_sha256(headers))

    def _require_room(self, size: int | None, received: int) -> None:
        if size is None:
            return
        if size > self._most_bytes:
            raise self._too_large(size)
        free = shutil.disk_usage(self._target.parent).free
        if size - received > free:
            raise DataError(
                f"{self._url} has {size - received:,} more bytes, but {self._target.parent} has room for {free:,}",
                "Make room, or choose a folder on another disk with --to.",
            )

    def _check(self, origin: Origin) -> Fetched:
        """Is what arrived whole and undamaged? A damaged file is removed, going on with it would not help."""
        part = self._partial.path
        size = self._partial.size
        problem = None
        if self._target.suffix == ".gz":
            with self._reporter.track(f"checking {self._target.name}", size, "bytes") as advance:
                problem = gzip_problem(part, advance)
        digest = sha256_of(part)
        if problem is None and origin.sha256 not in (None, digest):
            problem = f"its SHA-256 is {digest}, the server announced {origin.sha256}"
        if problem:
            self._partial.forget()
            raise DataError(
                f"{self._url}: all {size:,} bytes arrived, but the file is damaged: {problem}",
                "It was removed. Try again later, or name a mirror with --base-url; behind a login page or a proxy, "
                "see what the address shows in a browser.",
            )
        return Fetched(part, origin, size, digest, self._resumed)

    def _too_large(self, size: int | None) -> DataError:
        larger = "the file is larger" if size is None else f"the file has {size:,} bytes"
        return DataError(
            f"{self._url}: {larger}, and {self._most_bytes:,} bytes are left of --max-size",
            "If you want that much data, raise --max-size.",
        )

    def _gave_up(self, problem: PassingError) -> DataError:
        received = self._partial.size
        kept = f" The {received:,} bytes in {self._partial.path} are kept." if received else ""
        attempts = "1 attempt" if self._retries == 0 else f"{self._retries + 1} attempts"
        return DataError(
            f"{self._url}: {problem} ({attempts})",
            "See whether this machine reaches the server (HTTPS_PROXY names a proxy), and type the same command again; "
            f"--base-url names a mirror.{kept}",
        )


def _problem(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _seconds_to_wait(state: RetryCallState) -> float:
    """What the server asks for, else twice as long after each attempt."""
    problem = _problem(state)
    asked = problem.retry_after if isinstance(problem, PassingError) else None
    return asked or min(_FIRST_WAIT * 2 ** (state.attempt_number - 1), _LONGEST_WAIT)
