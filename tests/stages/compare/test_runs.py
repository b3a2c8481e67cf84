import numpy as np
import pyarrow as pa
import pytest

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.lineage import Lineage
from stages.artifacts.names import METRICS, RANKS, SEQUENCES
from stages.artifacts.tables import write_table
from stages.compare.runs import Run, aligned, by_protocol, locate, read_run, require_same_protocol

COLUMNS = {
    "user_id": ["a", "b", "b", "c"],
    "target": [1, 2, 3, 4],
    "rank": [1, 2, 3, 8],
    "ties": [0, 0, 1, 2],
    "other_rank": [1, 1, 2, 5],
    "other_ties": [0, 0, 0, 1],
    "history_length": [3, 4, 4, 5],
}


def lineage(*, split: str = "test", data: str = "sha256:data", items: object = 9, **facts: object) -> Lineage:
    options = {"split": split, "exclude_seen": False}
    return Lineage("evaluate", options, {SEQUENCES: data}, {"items": items, **facts})


def written(path, of: Lineage | None = None, **columns) -> Run:
    """A table of ranks, read as a run that is called like the file; a column of ``None`` is left out."""
    arrays = {
        name: pa.array(values, pa.string() if name == "user_id" else pa.int32())
        for name, values in {**COLUMNS, **columns}.items()
        if values is not None
    }
    write_table(path, pa.table(arrays), of or lineage())
    return read_run(path.stem, path)


def test_names_of_runs(tmp_path):
    for folder in ("a", "b", "c=d"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / RANKS).touch()
    (tmp_path / "kept.parquet").touch()

    def names(*texts: str) -> list[str]:
        return list(locate([text.replace("@", f"{tmp_path}/") for text in texts]))

    assert names("@a", "@b/ranks.parquet", "@kept.parquet", "mine=@a") == ["a", "b", "kept", "mine"]
    assert names("@c=d", "x=@c=d") == ["c=d", "x"]
    with pytest.raises(UsageError, match=r"two runs are called 'a'.*\nName them, NAME=PATH"):
        names("@a", "@a/ranks.parquet")
    with pytest.raises(UsageError, match="nowhere does not exist"):
        names("x=@nowhere")


def test_a_run_holds_the_columns_of_its_table(tmp_path):
    run = written(tmp_path / "kept.parquet")
    np.testing.assert_array_equal(run.users, [0, 1, 1, 2])
    np.testing.assert_array_equal(run.rank, COLUMNS["rank"])
    np.testing.assert_array_equal(run.other_ties, COLUMNS["other_ties"])
    assert run.rank.dtype == np.int64
    assert run.target_count is None
    assert run.exclude_seen is False
    assert run.protocol == {"split": "test", "data (sequences.parquet)": "sha256:data", "number of items": 9}
    np.testing.assert_array_equal(run.places.place, [1, 2, 3, 8])


def test_a_target_beyond_the_items_has_no_place(tmp_path):
    run = written(tmp_path / "kept.parquet", lineage(items=7))
    np.testing.assert_array_equal(run.places.place, [1, 2, 3, np.inf])


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"rank": [1, 2, 0, 8]}, "column 'rank', row 3: rank 0\nRanks count from 1"),
        ({"other_rank": [1, 1, 2, -4]}, "column 'other_rank', row 4: rank -4"),
        ({"target": [1, 2, None, 4]}, "column 'target' has nulls"),
        ({"rank": [1, 1, 1, 8]}, "rank 1 is taken by other targets of user 'b'"),
        ({name: [] for name in COLUMNS}, "has no rows"),
    ],
)
def test_ranks_that_cannot_be_are_named(tmp_path, columns, said):
    with pytest.raises(DataError, match=said):
        written(tmp_path / "kept.parquet", **columns)


@pytest.mark.parametrize(
    "facts",
    [
        {"beyond_accuracy": {"coverage@10": "much"}},
        {"popularity_groups": [{"from_interactions": 0}]},
        {"popularity_groups": [{"from_interactions": -1}] * 4},
    ],
)
def test_facts_that_no_evaluation_tells_are_refused(tmp_path, facts):
    with pytest.raises(DataError, match="tells of itself what no evaluation tells\nRun `cocorec evaluate --force`"):
        written(tmp_path / "kept.parquet", lineage(**facts))


def test_metrics_and_ranks_of_different_evaluations_are_refused(tmp_path):
    written(tmp_path / RANKS)
    (tmp_path / METRICS).write_text(f'{{"cocorec": {lineage().to_json()}}}')
    assert len(read_run("one", tmp_path / METRICS).rank) == 4
    (tmp_path / METRICS).write_text(f'{{"cocorec": {lineage(split="valid").to_json()}}}')
    with pytest.raises(DataError, match="are of different evaluations"):
        read_run("one", tmp_path / METRICS)


def test_the_ranks_of_the_other_protocol(tmp_path):
    run = written(tmp_path / "kept.parquet")
    assert by_protocol(run, None) is run
    assert by_protocol(run, False) is run
    other = by_protocol(run, True)
    assert other.switched
    np.testing.assert_array_equal(other.rank, COLUMNS["other_rank"])
    np.testing.assert_array_equal(other.ties, COLUMNS["other_ties"])
    alone = written(tmp_path / "alone.parquet", other_rank=None)
    with pytest.raises(DataError, match=r"no ranks without .*history.*\nRun `cocorec evaluate` again with --exclude"):
        by_protocol(alone, True)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"split": "valid"}, "one and two differ in split: test in .*, valid in"),
        ({"data": "sha256:other"}, r"differ in data \(sequences.parquet\)"),
        ({"items": 10}, "differ in number of items: 9 in .*, 10 in"),
    ],
)
def test_runs_of_different_protocols_are_refused(tmp_path, changed, said):
    one, two = written(tmp_path / "one.parquet"), written(tmp_path / "two.parquet", lineage(**changed))
    require_same_protocol([one, one])
    with pytest.raises(DataError, match=said):
        require_same_protocol([one, two])


def test_rows_are_brought_into_the_order_of_the_reference(tmp_path):
    reference = written(tmp_path / "reference.parquet")
    order = [2, 0, 3, 1]
    mixed = written(tmp_path / "mixed.parquet", **{name: [of[i] for i in order] for name, of in COLUMNS.items()})
    found = aligned(mixed, reference)
    assert found.user_ids.to_pylist() == COLUMNS["user_id"]
    for name in ("target", "rank", "ties", "other_rank", "other_ties", "history_length"):
        np.testing.assert_array_equal(getattr(found, name), COLUMNS[name])
    assert found.target_count is None
    assert aligned(reference, reference) is reference
    other = written(tmp_path / "other.parquet", target=[1, 2, 3, 5])
    with pytest.raises(
        DataError, match=r"other.parquet \(4 rows\) has other users or targets than .*reference.parquet"
    ):
        aligned(other, reference)
