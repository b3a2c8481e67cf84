"""How text tables are written, recognised in the whole file, and their rows counted."""

from pathlib import Path
from typing import Any

import pytest

from stages.artifacts.errors import DataError
from stages.preprocess.sources import survey as module
from stages.preprocess.sources.reading import Reading
from stages.preprocess.sources.sample import take_sample
from stages.preprocess.sources.survey import rows_of_text, survey

HEAD = b"user_id,item_id,note\n"
TABS = b"item_id\ttitle\n"


@pytest.mark.parametrize(
    ("data", "found", "as_it_is", "rows"),
    [
        (HEAD + b"u,A,x\nu,B,y\n", (None, None), True, 2),
        (HEAD + b"u,A,x\n\nu,B,y", (None, None), True, 3),
        (HEAD + b'u,A,"x, ""y"""\nu,B,y\n', ('"', None), True, 2),
        (HEAD + b'u,A,"x\ny"\n"u",B,y\n', ('"', None), True, 2),
        (HEAD + b'u,A,"6\\" pipe"\nu,B,y\n', ('"', "\\"), False, 2),
        (HEAD + b'u,A,"6\\""\nu,B,y\nu,C,"7\\""\n', ('"', "\\"), False, 3),
        (HEAD + b'u,A,"C:\\"\nu,B,"D:\\"\n', ('"', None), True, 2),
        (HEAD + b"u,A,x\\\ny\nu,B,y\n", ('"', "\\"), False, 2),
        (HEAD + b'u,A,6" pipe\nu,B,"a, b"\n', ('"', None), False, 2),
        (TABS + b'A\t6" pipe\nB\t5"\n', ('"', None), False, 2),
        (TABS + b'A\t"Best" pipe\nB\ty\n', (None, None), True, 2),
        (TABS + b'A\t"Best pipe\nB\t6"\nC\tz\n', (None, None), True, 3),
        (TABS + b'A\t"two\nlines"\nB\ty\n', ('"', None), True, 2),
    ],
)
def test_dialects(tmp_path: Path, data: bytes, found: tuple[Any, Any], as_it_is: bool, rows: int) -> None:
    path = tmp_path / "table.txt"
    path.write_bytes(data)
    sample, plain = survey(take_sample(path))
    assert (sample.quote, sample.escape, plain, sample.rows) == (*found, as_it_is, rows)
    assert sum(1 for _ in rows_of_text(sample)) == rows


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64])
def test_blocks_of_any_size_tell_the_same(tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"\xef\xbb\xbf" + HEAD + b'u,"A ""a""",x\r\n"u",B,"y\n\n"\r\nu,"",z\\"')
    whole, _ = survey(take_sample(path))
    monkeypatch.setattr(module, "_BLOCK", size)
    assert survey(take_sample(path))[0].rows == whole.rows == 3


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (HEAD + b'u,A,"x\nu,B,y\n', "line 3 is malformed"),
        (HEAD + b'u,A,"x"y\nu,B,y\n', "line 2 is malformed"),
        (HEAD + b'u,A,"6\\" x"\nu,B,y,z\n', "line 2 is malformed"),
    ],
)
def test_no_dialect(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(data)
    with pytest.raises(DataError, match=rf"table\.csv: {message}.*\n.*--quote and --escape"):
        survey(take_sample(path))


@pytest.mark.parametrize(
    ("reading", "field"),
    [(Reading(quote=""), '"x\\"'), (Reading(quote="'"), '"x\\"'), (Reading(quote="", escape="\\"), '"x"')],
)
def test_what_is_said_counts(tmp_path: Path, reading: Reading, field: str) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(HEAD + b'u,A,"x\\"\n')
    sample, _ = survey(take_sample(path, reading))
    assert [fields for _, fields in rows_of_text(sample)] == [["u", "A", field]]
