"""What was downloaded into a folder: ``download.json`` beside the data.

It names the data set and what was chosen of it, and under ``files`` has a :class:`Record` for each file.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

from stages.artifacts.atomic import read_json, write_json
from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.names import DOWNLOAD
from stages.download.checks import sha256_of


@dataclass(frozen=True)
class Record:
    """A file as it was when it arrived.

    Attributes:
        url: where it came from.
        bytes: its size.
        sha256: its checksum, in hexadecimal.
        etag, last_modified: what the server said of its version, ``None`` where nothing.
    """

    url: str
    bytes: int
    sha256: str
    etag: str | None = None
    last_modified: str | None = None


class Manifest:
    """The records of a folder.

    Args:
        folder: where the data are; it need not exist.
        content: what is downloaded: the data set, and what was chosen of it.

    Raises:
        UsageError: when the folder holds something else.
        DataError: when ``download.json`` cannot be read.
    """

    def __init__(self, folder: Path, content: dict[str, str]) -> None:
        self._path = folder / DOWNLOAD
        self._content = content
        self.records: dict[str, Record] = {}
        if not self._path.exists():
            return
        try:
            found = read_json(self._path)
            files = {name: Record(**record) for name, record in found["files"].items()}
            there = {key: found[key] for key in content}
        except (DataError, AttributeError, KeyError, TypeError) as error:
            raise DataError(
                f"{self._path} is not what `cocorec download` writes",
                "Move it and the data beside it away, or choose another folder with --to.",
            ) from error
        if there != content:
            raise UsageError(
                f"{folder} holds {', '.join(map(str, there.values()))}, not {', '.join(content.values())}",
                "Choose another folder with --to.",
            )
        self.records = files

    def record(self, name: str, record: Record) -> None:
        """Add a file, and write the manifest."""
        self.records[name] = record
        files = {name: asdict(self.records[name]) for name in sorted(self.records)}
        write_json(self._path, {**self._content, "files": files}, option="--to")

    def difference(self, path: Path) -> str | None:
        """In words, how the file at ``path`` differs from its record; ``None`` if it does not.

        Raises:
            KeyError: when there is no record of it.
        """
        record = self.records[path.name]
        if not path.is_file():
            return "is missing"
        size = path.stat().st_size
        if size != record.bytes:
            return f"has {size:,} bytes instead of {record.bytes:,}"
        return None if sha256_of(path) == record.sha256 else "has changed since it was downloaded"
