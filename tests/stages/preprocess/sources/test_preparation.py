import json
import lzma
import os
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from stages.artifacts.errors import DataError
from stages.preprocess.sources import preparation as module
from stages.preprocess.sources import unpacked
from stages.preprocess.sources.preparation import FOLDER, Preparation
from stages.preprocess.sources.reading import Reading
from stages.preprocess.sources.sample import take_sample

LOG = b"user_id,item_id\nu,a\nv,b\n"


@pytest.fixture
def preparation(tmp_path: Path) -> Iterator[Preparation]:
    made = Preparation(tmp_path / "work")
    yield made
    made.close()


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_what_the_engine_reads_is_not_copied(preparation: Preparation, tmp_path: Path) -> None:
    sample = preparation.ready(take_sample(written(tmp_path, "log.csv", LOG)))
    assert (sample.source, sample.table, sample.rows) == (sample.path, None, 2)
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("content", [lzma.compress(LOG), LOG.decode().encode("utf-16")], ids=["xz", "UTF-16"])
def test_unpacked_once_and_in_utf8(preparation: Preparation, tmp_path: Path, content: bytes) -> None:
    taken = take_sample(written(tmp_path, "log.csv", content))
    sample = preparation.ready(taken)
    assert sample.source.is_relative_to(tmp_path / "work" / FOLDER)
    assert sample.source.read_bytes().removeprefix(b"\xef\xbb\xbf") == LOG
    again = preparation.ready(replace(taken, columns=("other",)))
    assert (again.source, again.columns) == (sample.source, ("other",))
    preparation.close()
    assert not (tmp_path / "work" / FOLDER).exists()


def test_other_dialects_become_a_table_of_strings(
    preparation: Preparation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ROWS", 2)
    path = written(tmp_path, "log.txt", b"user_id::item_id::note\nu::a::x\nv::b::\nw::c::1\n")
    sample = preparation.ready(take_sample(path, Reading(separator="::")))
    assert sample.table is not None
    with pa.ipc.open_file(str(sample.table)) as file:
        table = file.read_all()
    assert set(table.schema.types) == {pa.large_string()}
    assert [column.to_pylist() for column in table.columns] == [["u", "v", "w"], ["a", "b", "c"], ["x", None, "1"]]


RECORDS = [b'{"a": 1}', b"no JSON", b"", b'{"a": NaN}', b"[1]", b'{"a": 2}']


def test_malformed_records_become_empty_lines(preparation: Preparation, tmp_path: Path) -> None:
    path = written(tmp_path, "log.jsonl", b"\xef\xbb\xbf" + b"\n".join(RECORDS))
    ready = preparation.ready(take_sample(path, Reading(tolerant=True)))
    assert preparation.without_malformed(ready, 1) == [2, 5]
    assert preparation.ready(ready).source == path  # too many: no copy
    assert preparation.without_malformed(ready, 2) == [2, 5]
    copy = preparation.ready(ready)
    assert (copy.kind, copy.bom, copy.is_plain_json) == ("jsonl", False, True)
    lines = copy.source.read_text().splitlines()
    assert [json.loads(line) if line else None for line in lines] == [{"a": 1}, None, None, {"a": None}, None, {"a": 2}]


def test_a_line_that_unpacks_without_bounds_is_refused(
    preparation: Preparation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacked, "LINE_BYTES", 1 << 20)
    long = b"x" * (3 << 20)
    path = written(tmp_path, "log.csv.xz", lzma.compress(LOG + long))
    with pytest.raises(DataError, match=r"log\.csv\.xz: line 4 unpacks to more than 1 MiB"):
        preparation.ready(take_sample(path))


def test_lines_that_are_long_for_themselves_or_honest_are_read(
    preparation: Preparation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacked, "LINE_BYTES", 1 << 20)
    several = written(tmp_path, "several.csv.xz", lzma.compress(LOG + (b"u," + b"x" * (700 << 10) + b"\n") * 4))
    assert preparation.ready(take_sample(several)).rows == 2 + 4
    text = random.Random(0).randbytes(600 << 10).hex().encode()
    honest = written(tmp_path, "honest.csv.xz", lzma.compress(LOG + b"u," + text + b"\n", preset=0))
    assert preparation.ready(take_sample(honest)).rows == 2 + 1


def test_copies_of_killed_runs_go_after_a_day(tmp_path: Path) -> None:
    old, new = tmp_path / FOLDER / "old", tmp_path / FOLDER / "new"
    for folder, days in ((old, 2), (new, 0.5)):
        folder.mkdir(parents=True)
        (folder / "1").write_bytes(b"x")
        os.utime(folder, (time.time() - days * 24 * 3600,) * 2)
    Preparation(tmp_path).close()
    assert not old.exists()
    assert (new / "1").exists()
