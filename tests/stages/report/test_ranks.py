import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from stages.artifacts.errors import DataError
from stages.artifacts.lineage import read_lineage
from stages.artifacts.names import METRICS, RANKS
from stages.artifacts.tables import open_table, write_table
from stages.metrics.accuracy import mean_metrics, places
from stages.report.options import ReportOptions
from stages.report.ranks import read_ranks, slices_of
from stages.report.source import Source

OPTIONS = ReportOptions(history_buckets=(6, 9), resamples=20)


def test_slices_partition_the_targets(source: Source) -> None:
    ranks, told = read_ranks(source), source.told(METRICS)
    slices = slices_of(ranks, told, OPTIONS)
    for by in ("history length", "item popularity"):
        assert sum(each.targets for each in slices if each.by == by) == len(ranks.rank)
    [middle] = [each for each in slices if each.label == "7-9"]
    chosen = (ranks.history_length > 6) & (ranks.history_length <= 9)
    of = places(ranks.rank[chosen], ranks.users[chosen], ranks.target[chosen], 60)
    mean, low, high = middle.metrics["ndcg@10"]
    assert mean == pytest.approx(mean_metrics(of, ["ndcg@10"])["ndcg@10"])
    assert low < mean < high
    assert middle.targets == chosen.sum()


def test_the_whole_is_what_metrics_json_says(source: Source) -> None:
    ranks, told = read_ranks(source), source.told(METRICS)
    [everything] = [
        each
        for each in slices_of(ranks, told, ReportOptions(history_buckets=(99,), resamples=5))
        if each.label == "1-99"
    ]
    assert everything.metrics["recall@10"][0] == told.part("metrics").part("recall@10").number("mean")


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [("target", 61, "row 1: target 61, of 60,"), ("rank", 0, "at rank 0"), ("target", 0, "target 0, of 60,")],
)
def test_ranks_that_cannot_be_are_refused(
    source: Source, tmp_path: Path, column: str, value: int, expected: str
) -> None:
    workdir = shutil.copytree(source.workdir, tmp_path / "w")
    lineage = read_lineage(workdir / RANKS)
    assert lineage is not None
    with open_table(workdir / RANKS) as file:
        table = file.read()
    values = table[column].to_numpy().copy()
    values[0] = value
    at = table.schema.get_field_index(column)
    table = table.set_column(at, table.schema.field(at), pa.array(values.astype(np.int32)))
    write_table(workdir / RANKS, table, lineage)
    with pytest.raises(DataError, match=expected):
        read_ranks(Source.open(workdir, None))
