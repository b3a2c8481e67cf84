"""Opening files: compressed ones as what they hold, and what the first bytes tell of the container and the encoding."""

import bz2
import codecs
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from stages.artifacts.errors import DataError
from stages.preprocess.sources.unpacked import Bounded

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

COMPRESSED = (".gz", ".bz2", ".xz", ".lzma", ".zst", ".zstd", ".lz4", ".zip")
"""Endings of the names of compressed files that are read."""

_GZIP, _BZIP2, _XZ, _ZIP = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"PK\x03\x04"
_ZSTD, _LZ4 = b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18"
_LZMA = b"\x5d\x00\x00"
_MAGIC = 8
_BUFFER = 1 << 20
_TAR_AT, _TAR_NAME = 257, 100


def plain_name(name: str) -> str:
    """The name of a file without the ending of its compression."""
    ending = next((ending for ending in COMPRESSED if name.lower().endswith(ending)), "")
    return name[: len(name) - len(ending)]


def is_packed(path: Path) -> bool:
    """Whether a file is compressed in a way that only :func:`open_bytes` reads: any but gzip.

    Raises:
        DataError: when it cannot be read.
    """
    try:
        with path.open("rb") as file:
            start = file.read(_MAGIC)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    return start.startswith((_BZIP2, _XZ, _ZIP, _ZSTD, _LZ4, _LZMA))


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open ``path`` for reading, unpacked where it is compressed: gzip, bzip2, xz, zstd, lz4, or zip with one member.

    Raises:
        DataError: when reading inside the block fails: no permission, damaged, truncated, or more than any log holds.
    """
    try:
        with path.open("rb") as file:
            start = file.read(_MAGIC)
            file.seek(0)
            yield _unpacked(path, file, start)
    except EOFError as error:
        raise DataError(f"{path}: the {_name_of(path)} file is truncated", "Download or export it again.") from error
    except (gzip.BadGzipFile, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path}: the {_name_of(path)} file is damaged ({error})", "Download or export it again."
        ) from error
    except NotImplementedError as error:  # how zipfile says that it does not know the compression
        raise DataError(
            f"{path}: the {_name_of(path)} file cannot be unpacked ({error})", "Unpack it, or pack it with gzip."
        ) from error
    except OSError as error:
        if error.errno is None:  # how bzip2 and the libraries of Arrow say it
            raise DataError(
                f"{path}: the {_name_of(path)} file is damaged ({error})", "Download or export it again."
            ) from error
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def require_no_archive(path: Path, start: bytes) -> None:
    """Refuse an archive of several files.

    Args:
        path: the file, for the message.
        start: the first bytes of what it holds.

    Raises:
        DataError: when it is a tar archive.
    """
    if start[_TAR_AT : _TAR_AT + 5] == b"ustar":
        first = start[:_TAR_NAME].rstrip(b"\0").decode("utf-8", "replace")
        raise DataError(
            f"{path} is a tar archive (of {first!r} and perhaps others)",
            "Unpack it, and name the files in it that should be read.",
        )


def recoded(file: IO[bytes], encoding: str, old_line_ends: bool) -> IO[bytes]:
    """The text of ``file`` in UTF-8 with line feeds.

    Args:
        file: in ``encoding``.
        encoding: as Python calls it.
        old_line_ends: lines end with a carriage return alone.
    """
    return _buffered(_Recoded(file, encoding, old_line_ends))


class _Recoded(io.RawIOBase):
    """Bytes of one encoding as bytes of UTF-8."""

    def __init__(self, file: IO[bytes], encoding: str, old_line_ends: bool) -> None:
        self._file, self._old_line_ends = file, old_line_ends
        self._decoder = codecs.getincrementaldecoder(encoding)("replace" if encoding != "utf-8" else "surrogateescape")
        self._left = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill the buffer."""
        view = memoryview(buffer)
        while not self._left:
            data = self._file.read(_BUFFER)
            text = self._decoder.decode(data, not data)
            if self._old_line_ends:
                text = text.replace("\r", "\n")
            self._left = text.encode("utf-8", "surrogateescape")
            if not data:
                break
        count = min(len(view), len(self._left))
        view[:count], self._left = self._left[:count], self._left[count:]
        return count


def _unpacked(path: Path, file: IO[bytes], start: bytes) -> IO[bytes]:
    if start.startswith(_GZIP):
        return cast(IO[bytes], gzip.GzipFile(fileobj=file))
    if (packed := _packed(path, file, start)) is not None:
        return _buffered(Bounded(path, packed))
    return file


def _packed(path: Path, file: IO[bytes], start: bytes) -> IO[bytes] | None:
    if start.startswith(_BZIP2):
        return bz2.BZ2File(file)
    if start.startswith((_XZ, _LZMA)):
        return lzma.LZMAFile(file)
    if start.startswith((_ZSTD, _LZ4)):
        import pyarrow as pa

        kind = "zstd" if start.startswith(_ZSTD) else "lz4"
        return cast(IO[bytes], pa.CompressedInputStream(pa.PythonFile(file, "r"), kind))
    return _member(path, file) if start.startswith(_ZIP) else None


def _buffered(raw: object) -> IO[bytes]:
    return cast(IO[bytes], io.BufferedReader(cast(io.RawIOBase, raw), _BUFFER))


def _member(path: Path, file: IO[bytes]) -> IO[bytes]:
    archive = zipfile.ZipFile(file)
    names = [info.filename for info in archive.infolist() if _is_content(info)]
    if "[Content_Types].xml" in names:
        raise DataError(f"{path} is a workbook of a spreadsheet", "Save the sheet as CSV.")
    if len(names) != 1:
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        raise DataError(
            f"{path} holds {len(names)} files ({shown})" if names else f"{path} holds no file",
            "Unpack it, and name the files in it that should be read.",
        )
    if archive.getinfo(names[0]).flag_bits & 1:
        raise DataError(f"{path} is encrypted", "Unpack it first.")
    return archive.open(names[0])


def _is_content(info: zipfile.ZipInfo) -> bool:
    """What is neither a folder nor one of the companions that macOS adds."""
    return not info.is_dir() and not info.filename.startswith("__MACOSX/") and not info.filename.endswith(".DS_Store")


def _name_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            start = file.read(_MAGIC)
    except OSError:
        return "compressed"
    names = {_GZIP: "gzip", _BZIP2: "bzip2", _XZ: "xz", _LZMA: "lzma", _ZSTD: "zstd", _LZ4: "lz4", _ZIP: "zip"}
    return next((name for magic, name in names.items() if start.startswith(magic)), "compressed")
