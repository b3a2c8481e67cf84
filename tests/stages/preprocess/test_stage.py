"""Freshness, lineage, reproducible bytes, progress."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from recording import Recorder

from stages.artifacts.errors import DataError
from stages.artifacts.fingerprints import Fingerprints
from stages.artifacts.lineage import read_lineage, require_consistent
from stages.artifacts.names import HISTORIES, ITEMS, SEQUENCES
from stages.artifacts.tables import read_table, write_table
from stages.frame.result import Result
from stages.preprocess import PreprocessOptions, preprocess

Write = Callable[..., Path]


@pytest.fixture
def log(write: Write) -> Path:
    rows = [f"u{u},i{(u * 7 + n * 3) % 11},{n % 4}" for u in range(40) for n in range(8)]
    return write("log.csv", ["user_id,item_id,timestamp", *rows])


@pytest.fixture
def texts(write: Write) -> Path:
    return write("texts.jsonl", [{"item_id": f"i{i}", "title": f"title {i}", "note": "n"} for i in range(11)])


def outputs(workdir: Path) -> dict[str, bytes]:
    return {name: (workdir / name).read_bytes() for name in (ITEMS, SEQUENCES, HISTORIES)}


def test_two_runs_give_the_same_bytes(log: Path, texts: Path, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        preprocess(PreprocessOptions([log], items=[texts]), workdir=tmp_path / folder)
    assert outputs(tmp_path / "a") == outputs(tmp_path / "b")
    preprocess(PreprocessOptions([log], items=[texts]), workdir=tmp_path / "a", force=True)
    assert outputs(tmp_path / "a") == outputs(tmp_path / "b")


def test_bytes_do_not_depend_on_threads(log: Path, texts: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from stages.preprocess import PreprocessOptions, preprocess; "
        "options = PreprocessOptions([sys.argv[1]], items=[sys.argv[2]]); "
        "preprocess(options, workdir=Path(sys.argv[3]))"
    )
    for threads in ("1", "4"):
        subprocess.run(
            [sys.executable, "-c", code, log, texts, tmp_path / threads],
            env={"POLARS_MAX_THREADS": threads, "PATH": ""},
            check=True,
        )
    assert outputs(tmp_path / "1") == outputs(tmp_path / "4")


@pytest.mark.skipif(pl.thread_pool_size() < 2, reason="polars has one thread as it is")
def test_threads_that_polars_has_already_are_told(log: Path, tmp_path: Path) -> None:
    result = preprocess(PreprocessOptions([log], threads=1), workdir=tmp_path)
    assert any("--threads 1: polars has started with" in warning for warning in result.warnings)
    assert preprocess(PreprocessOptions([log], threads=2), workdir=tmp_path).skipped  # the same bytes with any number


def test_up_to_date_run_is_skipped_with_the_same_facts(log: Path, texts: Path, tmp_path: Path) -> None:
    first = preprocess(PreprocessOptions([log], items=[texts]), workdir=tmp_path / "w")
    before = outputs(tmp_path / "w")
    again = preprocess(PreprocessOptions([log], items=[texts]), workdir=tmp_path / "w")
    assert not first.skipped and again.skipped
    assert dict(again.facts) == dict(first.facts)
    assert again.warnings == first.warnings
    assert outputs(tmp_path / "w") == before
    assert set(first.outputs) == set(again.outputs) == {ITEMS, SEQUENCES, HISTORIES}


@pytest.mark.parametrize(
    "change",
    [{"k_core": 2}, {"views": ["title"]}, {"items": []}, {"time_column": "item_id", "k_core": 0}],
    ids=str,
)
def test_other_options_run_again(log: Path, texts: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    preprocess(PreprocessOptions([log], items=[texts]), workdir=tmp_path)
    try:
        assert not preprocess(PreprocessOptions([log], **{"items": [texts], **change}), workdir=tmp_path).skipped
    except DataError as error:
        assert "is not a time" in str(error)  # it ran, and judged the column


def test_changed_input_runs_again(log: Path, texts: Path, tmp_path: Path) -> None:
    def again() -> Result:
        return preprocess(PreprocessOptions([log], items=[texts]), workdir=tmp_path / "w")

    again()
    texts.write_text(texts.read_text().replace("title 3", "title three"))
    assert not again().skipped
    log.write_text(log.read_text() + "u0,i1,9\n")
    assert not again().skipped
    assert again().skipped


def test_order_of_the_inputs_matters(write: Write, tmp_path: Path) -> None:
    header = "user_id,item_id,timestamp"
    a, b = write("a.csv", [header, "u,A,1"]), write("b.csv", [header, "u,B,1"])
    preprocess(PreprocessOptions([a, b], k_core=0), workdir=tmp_path / "w")
    assert not preprocess(PreprocessOptions([b, a], k_core=0), workdir=tmp_path / "w").skipped


def test_files_of_the_same_name_are_told_apart(write: Write, tmp_path: Path) -> None:
    header = "user_id,item_id,timestamp"
    first, second = write("x/log.csv", [header, "u,A,1"]), write("y/log.csv", [header, "u,B,2"])
    preprocess(PreprocessOptions([first, second], k_core=0), workdir=tmp_path / "w")
    lineage = read_lineage(tmp_path / "w" / ITEMS)
    assert lineage and sorted(lineage.inputs) == ["raw:log.csv", "raw:log.csv#2"]
    second.write_text(f"{header}\nu,C,2\n")
    assert not preprocess(PreprocessOptions([first, second], k_core=0), workdir=tmp_path / "w").skipped


def test_lineage_names_inputs_without_folders(log: Path, texts: Path, tmp_path: Path) -> None:
    preprocess(PreprocessOptions([log], items=[texts]), workdir=tmp_path / "w")
    items, sequences = (read_lineage(tmp_path / "w" / name) for name in (ITEMS, SEQUENCES))
    assert items and sequences
    assert sorted(items.inputs) == ["raw:log.csv", "raw:texts.jsonl"]
    assert dict(sequences.inputs) == {
        **items.inputs,
        ITEMS: Fingerprints(tmp_path / "w").of_contents(tmp_path / "w" / ITEMS),
    }
    assert str(tmp_path) not in items.to_json() + sequences.to_json()


@pytest.mark.parametrize("exchanged", [ITEMS, SEQUENCES])
def test_artifacts_of_two_runs_are_refused_and_made_anew(
    log: Path, texts: Path, tmp_path: Path, exchanged: str
) -> None:
    for k in (0, 2):
        preprocess(PreprocessOptions([log], items=[texts] if k else [], k_core=k), workdir=tmp_path / str(k))
    (tmp_path / "0" / exchanged).write_bytes((tmp_path / "2" / exchanged).read_bytes())
    with pytest.raises(DataError, match=r"sequences\.parquet was made from another items\.parquet"):
        require_consistent(tmp_path / "0", [SEQUENCES], Fingerprints(tmp_path / "0"))
    assert not preprocess(PreprocessOptions([log], k_core=0), workdir=tmp_path / "0").skipped
    require_consistent(tmp_path / "0", [SEQUENCES], Fingerprints(tmp_path / "0"))


def test_items_edited_by_hand_are_made_anew(log: Path, texts: Path, tmp_path: Path) -> None:
    """Same options and inputs, another text: only the sequences' lineage gives it away."""
    preprocess(PreprocessOptions([log], items=[texts]), workdir=tmp_path)
    path = tmp_path / ITEMS
    lineage = read_lineage(path)
    assert lineage
    table = read_table(path)
    write_table(path, table, lineage, compression="none")
    assert preprocess(PreprocessOptions([log], items=[texts]), workdir=tmp_path).skipped  # other bytes, same content
    notes = pa.array(["by hand"] * len(table))
    write_table(path, table.set_column(table.schema.get_field_index("note"), "note", notes), lineage)
    assert read_lineage(path) == lineage
    assert not preprocess(PreprocessOptions([log], items=[texts]), workdir=tmp_path).skipped


def test_damaged_artifact_is_made_anew(log: Path, texts: Path, tmp_path: Path) -> None:
    preprocess(PreprocessOptions([log], items=[texts]), workdir=tmp_path / "w")
    before = outputs(tmp_path / "w")
    (tmp_path / "w" / SEQUENCES).write_bytes(before[SEQUENCES][:-10])
    assert not preprocess(PreprocessOptions([log], items=[texts]), workdir=tmp_path / "w").skipped
    assert outputs(tmp_path / "w") == before


class _Following(Recorder):
    def __init__(self) -> None:
        super().__init__()
        self.tracked: dict[str, int] = {}

    @contextmanager
    def track(self, label: str, total: int | None = None, unit: str = "") -> Iterator[Callable[[int], None]]:
        def advance(done: int) -> None:
            self.tracked[label] = self.tracked.get(label, 0) + done

        yield advance


def test_says_what_it_recognised_and_follows_the_reading(log: Path, texts: Path, tmp_path: Path) -> None:
    reporter = _Following()
    result = preprocess(PreprocessOptions([log], items=[texts]), workdir=tmp_path, reporter=reporter)
    assert any("log.csv: read as table" in info for info in reporter.infos)
    assert any("texts.jsonl: read as table" in info for info in reporter.infos)
    assert reporter.tracked == {"reading log.csv": 320, "reading texts.jsonl": 11}
    assert tuple(reporter.warnings) == result.warnings
    assert set(result.timings) == {"read_log", "filter", "read_items", "histories", "write", "total"}
