import hashlib
from collections.abc import Collection
from pathlib import Path

import pyarrow as pa
import pytest

from stages.artifacts.atomic import write_json
from stages.artifacts.copies import COPIES, NOTE, note_origin
from stages.artifacts.digest import OPEN_DIGEST
from stages.artifacts.errors import DataError
from stages.artifacts.journal import JournalChecks
from stages.artifacts.lineage import Lineage
from stages.artifacts.names import CHECKPOINT_DIR, STUDY, TRIALS
from stages.artifacts.tables import write_table
from stages.artifacts.verify import CHUNKS, damaged_files, read_all

COPY, CHUNK = f"{COPIES}/host/log.csv", f"{CHUNKS}1/0.bin"
CHECKPOINT, OWN = f"{CHECKPOINT_DIR}/state.json", "report.json"
TABLE = pa.table({"item": pa.array(range(1000), pa.int32())})


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    """A file of each kind that is no artifact of a stage, and one of another program."""
    folder = tmp_path / "work"
    for name in (COPY, CHUNK, STUDY):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / COPY).write_bytes(b"u,A,1\n")
    note_origin(folder / COPY, {"size": 6})
    (folder / CHUNK).write_bytes(hashlib.sha256(b"vectors").digest() + b"vectors")
    (folder / STUDY).write_bytes(JournalChecks().line({"trial": 1}))
    write_table(folder / TRIALS, TABLE, Lineage("tune", {}, {}))
    for name in (CHECKPOINT, OWN):
        write_json(folder / name, {"epoch": 1, **OPEN_DIGEST})
    (folder / "notes.txt").write_text("mine")
    return folder


def found(workdir: Path, seen: Collection[str] = ()) -> dict[str, str]:
    """Stage by name of what is damaged."""
    return {name: stage for name, stage, _ in damaged_files(workdir, seen)}


def damage(path: Path) -> None:
    """Flip a bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_nothing_is_wrong_with_what_was_written(workdir: Path) -> None:
    assert found(workdir) == {}
    assert found(workdir / "none") == {}


def test_a_flipped_bit_is_found_in_each_kind(workdir: Path) -> None:
    stages = {COPY: "preprocess", CHUNK: "embed", STUDY: "tune", TRIALS: "tune", CHECKPOINT: "train", OWN: "-"}
    for name in (*stages, "notes.txt"):
        damage(workdir / name)
    assert found(workdir) == stages
    assert list(found(workdir)) == sorted(stages, key=lambda name: Path(name).parts)
    assert found(workdir, {COPY, OWN, TRIALS}).keys() == stages.keys() - {COPY, OWN, TRIALS}


def test_the_hint_is_that_of_the_kind(workdir: Path) -> None:
    for name in (CHUNK, CHECKPOINT):
        damage(workdir / name)
    errors = {name: error for name, _, error in damaged_files(workdir, ())}
    assert errors[CHUNK].message == f"{workdir / CHUNK} is damaged"
    assert errors[CHUNK].hint == "Run `cocorec embed` again, which makes it anew."
    assert errors[CHECKPOINT].hint == "Delete model/checkpoint, or run `cocorec train` with --no-resume."


def test_links_are_left_out_and_empty_or_cut_chunks_are_not(workdir: Path) -> None:
    (workdir / f"{CHUNKS}1/link.bin").symlink_to(workdir / CHUNK)
    (workdir / CHUNK).write_bytes(b"")
    assert found(workdir) == {CHUNK: "embed"}
    (workdir / f"{COPY}{NOTE}").unlink()
    assert found(workdir) == {COPY: "preprocess", CHUNK: "embed"}


def test_every_page_of_a_table_is_read(workdir: Path) -> None:
    read_all(workdir / TRIALS)
    read_all(workdir / "notes.txt")
    damage(workdir / TRIALS)
    with pytest.raises(DataError, match=r"trials\.parquet"):
        read_all(workdir / TRIALS)
