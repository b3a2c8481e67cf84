"""Files that the user names beside the work directory: what reads them, their ids, and standard input."""

import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.histories import NamedHistories
from stages.artifacts.lineage import read_lineage
from stages.artifacts.names import ITEMS, Columns
from stages.frame.reporter import Reporter
from stages.recommend.options import STANDARD

_COPY = ".standard-input.tmp-"
"""How the name of a copy of standard input begins; what a killed run leaves under such a name, the next one deletes."""

_SEPARATORS = ",;\t|"
_BINARY = (b"PAR1", b"ARROW1", b"\xff\xff\xff\xff", b"\x1f\x8b", b"{", b"[")
_ID_COLUMNS = (Columns.ITEM_ID, "parent_asin", "asin", "movieId", "id")


class Readers(Protocol):
    """Reads logs and tables of every kind. The package ``stages.preprocess`` does; it needs polars."""

    def read_named_histories(
        self,
        path: Path,
        workdir: Path,
        *,
        columns: Mapping[str, str | None],
        usual: Mapping[str, str],
        reporter: Reporter,
    ) -> NamedHistories:
        """See :func:`stages.preprocess.inputs.read_named_histories`."""
        ...

    def read_id_column(self, path: Path, workdir: Path, columns: Sequence[str], option: str) -> pa.ChunkedArray:
        """See :func:`stages.preprocess.inputs.read_id_column`."""
        ...

    def read_ids_where(self, path: Path, workdir: Path, id_columns: Sequence[str], where: str) -> pa.ChunkedArray:
        """See :func:`stages.preprocess.inputs.read_ids_where`."""
        ...


def require_readers(readers: Readers | None, what: str) -> Readers:
    """The readers, where they are there.

    Raises:
        UsageError: naming what needs them.
    """
    if readers is None:
        raise UsageError(
            f"{what} needs the readers of preprocess", "Use the command, or pass readers=stages.preprocess."
        )
    return readers


def require_file(path: Path, option: str) -> Path:
    """A path that is a file.

    Raises:
        DataError: naming the option.
    """
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "is no file" if path.exists() else "does not exist"
        raise DataError(f"{option}: {path} {problem}", "Name a file.")
    return path


@contextmanager
def standard_input(path: Path | None, workdir: Path) -> Iterator[Path | None]:
    """The path itself, or for ``-`` a copy of standard input that is there inside the block.

    Raises:
        DataError: when the work directory cannot be written.
    """
    if path != STANDARD:
        yield path
        return
    folder = workdir / ".cocorec"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=_COPY) as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
            copy.flush()
            yield Path(copy.name)
    except OSError as error:
        raise DataError(
            f"cannot write in {workdir}: {error.strerror or error}", "Make room, or choose another --workdir."
        ) from error


def is_standard_input(path: Path | None) -> bool:
    """Whether a path stands for standard input, or is the copy of it that another process has made."""
    return path is not None and (path == STANDARD or path.name.startswith(_COPY))


def usual_columns(workdir: Path) -> dict[str, str]:
    """The columns that ``preprocess`` read, by option, where ``items.parquet`` says so."""
    lineage = read_lineage(workdir / ITEMS)
    found = {} if lineage is None else lineage.options
    names = ("user_column", "item_column", "time_column", "items_id_column")
    return {name: found[name] for name in names if isinstance(found.get(name), str)}


def item_columns(chosen: str | None, usual: Mapping[str, str]) -> list[str]:
    """Names that a column of item ids may have, the likeliest first; the chosen one alone where there is one."""
    if chosen is not None:
        return [chosen]
    own = [usual[name] for name in ("items_id_column", "item_column") if name in usual]
    return list(dict.fromkeys([*own, *_ID_COLUMNS]))


def read_ids(path: Path, workdir: Path, columns: Sequence[str], option: str, readers: Readers | None) -> pa.Array:
    """The ids in a file with one a line, or in a column of a table.

    Args:
        path: the file.
        workdir: the work directory.
        columns: names that the column may have.
        option: that names the file, for errors.
        readers: of tables; not needed for one id a line.

    Raises:
        UsageError: when the file is a table and there are no readers.
        DataError: when the file is missing, holds no id, or lacks the column.
    """
    text = _plain_lines(require_file(path, option))
    if text is None:
        column = "--user-column" if option == "--users" else "--item-column"
        found = require_readers(readers, f"{option} {path}").read_id_column(path, workdir, columns, column)
        ids = pa.concat_arrays(found.chunks)
    else:
        lines = [line.strip().strip('"') for line in text.splitlines()]
        ids = pa.array([line for line in (lines[1:] if lines[0] in columns else lines) if line], pa.string())
    if not len(ids):
        raise DataError(f"{option}: {path} holds no id", "Write one id a line.")
    return ids


def _plain_lines(path: Path) -> str | None:
    """The text of a file of one id a line; ``None`` where it is a table.

    Raises:
        DataError: when it cannot be read, is empty or no text.
    """
    try:
        with path.open("rb") as file:
            first = file.readline(1 << 20).removeprefix(b"\xef\xbb\xbf")
        if not first.strip() and not path.stat().st_size:
            raise DataError(f"{path} is empty", "Write one id a line.")
        if first.startswith(_BINARY) or any(separator.encode() in first for separator in _SEPARATORS):
            return None
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no UTF-8 text: {error}", "Write one id a line, in UTF-8.") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}", "Check its permissions.") from error
