"""A file that is on its way: ``NAME.part``, and what has to be known to go on with it."""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from stages.artifacts.atomic import write_json


@dataclass(frozen=True)
class Origin:
    """The version of a file that a server announced.

    Attributes:
        url: where it was asked for.
        etag: its strong entity tag; weak ones cannot tell versions apart byte by byte and are left out.
        last_modified: its ``Last-Modified`` header.
        size: bytes, ``None`` where the server does not tell.
        sha256: announced checksum, ``None`` where the server does not tell.
    """

    url: str
    etag: str | None
    last_modified: str | None
    size: int | None
    sha256: str | None

    @property
    def validator(self) -> str | None:
        """What ``If-Range`` takes, so that a version that changed is sent from its beginning (RFC 9110, 13.1.5)."""
        return self.etag or self.last_modified

    def is_version_of(self, other: "Origin") -> bool:
        """Whether nothing that both announcements tell differs."""
        pairs = ((self.etag, other.etag), (self.last_modified, other.last_modified), (self.size, other.size))
        return all(mine is None or theirs is None or mine == theirs for mine, theirs in pairs)


class Partial:
    """The partial file beside its final place.

    Args:
        target: the final place.
    """

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(f"{target.name}.part")
        self._about = target.with_name(f"{target.name}.part.json")

    @property
    def size(self) -> int:
        """Bytes received so far."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def origin(self) -> Origin | None:
        """What the received bytes are part of; ``None`` when that is not known and they are of no use."""
        with suppress(OSError, ValueError, TypeError):  # whatever is wrong with it, the file is then fetched anew
            return Origin(**json.loads(self._about.read_text(encoding="utf-8")))
        return None

    def begin(self, origin: Origin) -> None:
        """Forget what was received and expect this version instead."""
        self.forget()
        self.path.touch()
        write_json(self._about, asdict(origin), option="--to")

    def forget(self) -> None:
        """Remove the partial file."""
        self._about.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def finished(self) -> None:
        """The file has taken its final place; remove what was noted about it."""
        self._about.unlink(missing_ok=True)
