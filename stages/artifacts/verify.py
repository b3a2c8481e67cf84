"""Holds everything below a work directory against its digests: also what is no artifact of a stage."""

import hashlib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from stages.artifacts.atomic import not_permitted, read_json
from stages.artifacts.copies import COPIES, check_copy
from stages.artifacts.digest import check_digest
from stages.artifacts.errors import DataError, raise_shortage
from stages.artifacts.exported import check_exported
from stages.artifacts.fingerprints import CACHE, check_cache
from stages.artifacts.journal import check_journal
from stages.artifacts.lineage import read_lineage
from stages.artifacts.names import CHECKPOINT_DIR, EXPORT_DIR, STUDY, TUNE_DIR
from stages.artifacts.tables import open_table

CHUNKS = ".cocorec/embed-"
"""What the folders of finished vectors begin with."""

_CHUNK_DIGEST = 32


def damaged_files(workdir: Path, seen: Collection[str]) -> Iterator[tuple[str, str, DataError]]:
    """The damaged files of a work directory: checkpoints, searches, copies and caches.

    Links are left out, since they show files of the same folder. Files of other programs, which carry no digest, are
    not judged.

    Args:
        workdir: the work directory.
        seen: names of files that have been looked at.

    Yields:
        Name, stage that makes the file, and what is wrong.
    """
    for path in sorted(workdir.rglob("*")):
        name = path.relative_to(workdir).as_posix()
        if name in seen or path.is_symlink() or not path.is_file():
            continue
        stage, check = _check_of(name)
        try:
            check(path)
        except DataError as error:
            raise_shortage(error)
            yield name, stage, error
        except PermissionError:
            yield name, stage, not_permitted(path)
        except OSError as error:
            raise_shortage(error)
            yield name, stage, DataError(f"cannot read {path}: {error.strerror or error}")


def read_all(path: Path) -> None:
    """Read every page of a table, which verifies the checksums; nothing of other files.

    Raises:
        DataError: when a page is damaged.
    """
    if path.suffix == ".parquet":
        with open_table(path) as file:
            for _ in file.iter_batches():
                pass


def _check_of(name: str) -> tuple[str, Callable[[Path], object]]:
    """Which stage makes a file, and how it is held against itself."""
    if name == STUDY:
        return "tune", check_journal
    if f"/{name}".endswith(f"/{CACHE}"):  # the folders of a search have their own
        return "all", check_cache
    if name.startswith(f"{COPIES}/"):
        return "preprocess", check_copy
    if name.startswith(CHUNKS):
        return "embed", _check_chunk
    if name.startswith(f"{CHECKPOINT_DIR}/"):
        return "train", _check_checkpoint
    if name.startswith(f"{TUNE_DIR}/"):
        return "tune", _check_artifact
    if name.startswith(f"{EXPORT_DIR}/"):
        return "export", check_exported
    return "-", check_digest


def _check_artifact(path: Path) -> None:
    check_digest(path)
    if path.suffix in (".parquet", ".safetensors"):
        read_lineage(path)  # it may have none, but it has to be readable
        read_all(path)
    elif path.suffix == ".json":
        read_json(path)


def _check_checkpoint(path: Path) -> None:
    try:
        _check_artifact(path)
    except DataError as error:
        raise DataError(error.message, "Delete model/checkpoint, or run `cocorec train` with --no-resume.") from error


def _check_chunk(path: Path) -> None:
    content = path.read_bytes()
    if hashlib.sha256(content[_CHUNK_DIGEST:]).digest() != content[:_CHUNK_DIGEST]:
        raise DataError(f"{path} is damaged", "Run `cocorec embed` again, which makes it anew.")
