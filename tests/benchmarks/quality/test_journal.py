import pytest

from benchmarks.quality.journal import append, cpu_seconds, looks, read
from stages.artifacts.errors import DataError

EVALUATION = {"stage": "evaluate", "data": "shop", "row": "text", "seed": 0, "split": "test"}


def test_lines_are_added_and_read(tmp_path):
    path = tmp_path / "runs" / "journal.jsonl"
    assert read(path) == []
    append(path, {"event": "begun", "stage": "train"})
    append(path, {"event": "done", "stage": "train", "cpu_seconds": 2.5})
    assert [entry["event"] for entry in read(path)] == ["begun", "done"]
    assert all(entry["at"].endswith("+00:00") for entry in read(path))


@pytest.mark.parametrize("line", ['{"event": "be', "7"])
def test_a_damaged_line_is_named(tmp_path, line):
    path = tmp_path / "journal.jsonl"
    append(path, {"event": "begun"})
    path.write_text(path.read_text() + line)
    with pytest.raises(DataError, match=r"journal\.jsonl, line 2: no JSON"):
        read(path)


def test_every_evaluation_that_began_counts_as_a_look():
    entries = [
        {"event": "begun", **EVALUATION},
        {"event": "done", **EVALUATION},
        {"event": "begun", **EVALUATION},  # killed
        {"event": "begun", **EVALUATION},
        {"event": "failed", **EVALUATION},
        {"event": "begun", **EVALUATION},
        {"event": "done", **EVALUATION, "skipped": True},  # nothing was computed
        {"event": "begun", **EVALUATION, "split": "valid"},
        {"event": "begun", **EVALUATION, "data": "other"},
        {"event": "begun", "stage": "train", "data": "shop"},
    ]
    assert looks(entries, "shop", "test") == 3
    assert looks(entries, "shop", "valid") == 1
    assert looks(entries, "third", "test") == 0


def test_cpu_seconds_are_those_of_the_last_time():
    run = {"stage": "train", "data": "shop", "row": "text", "seed": 1}
    entries = [
        {"event": "done", **run, "cpu_seconds": 2.0},
        {"event": "begun", **run},
        {"event": "done", **run, "cpu_seconds": 3.5},
        {"event": "done", **run, "cpu_seconds": 1.0, "skipped": True},
        {"event": "failed", **run, "cpu_seconds": 4.0},
        {"event": "done", **run, "cpu_seconds": 9.0, "seed": 0},
    ]
    assert cpu_seconds(entries, "shop", "text", 1, "train") == 3.5
    assert cpu_seconds(entries, "shop", "text", 2, "train") is None
