"""Evaluated runs for the tests of the report, made once: a small CoCoRec model, and the counts of popularity."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest
from evil_titles import EVIL

from stages.artifacts.lineage import Lineage
from stages.artifacts.names import ITEMS, SEQUENCES
from stages.artifacts.tables import open_table, write_table
from stages.compare import CompareOptions, compare
from stages.evaluate import EvaluateOptions, evaluate
from stages.report import ReportOptions, report
from stages.report.source import Source
from stages.train import TrainOptions, train

FACTS = {
    "split": "leave-one-out",
    "dropped": [
        {"reason": "rows without <user>", "count": 7},
        {"reason": "interactions outside the 5-core", "count": 1234},
    ],
    "items_without_metadata": 2,
    "passed_over": ["notes.txt was not read"],
}
"""What ``preprocess`` reports here."""


@dataclass(frozen=True)
class Runs:
    """Work directories of evaluated runs on the same data; not to be written to."""

    cocorec: Path
    popularity: Path


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory, make_structured: Callable[..., Path]) -> Runs:
    """Two runs, of a model with three epochs and of counts; the first items have titles that a page must not obey."""
    first = make_structured(tmp_path_factory.mktemp("report") / "first")
    for name, change in ((ITEMS, _with_evil_titles), (SEQUENCES, lambda table: table)):
        with open_table(first / name) as file:
            table = file.read()
        write_table(first / name, change(table).replace_schema_metadata(), Lineage("preprocess", {}, {}, FACTS))
    second = first.parent / "second"
    shutil.copytree(first, second)
    sizes = {"dim": 8, "ffn_dim": 8, "fusion_ffn_dim": 8, "text_dim": 4, "layers": 1, "heads": 1, "fusion_heads": 1}
    options = TrainOptions(
        model="cocorec", **sizes, learning_rate=0.01, warmup_steps=2, epochs=3, max_history=6, device="cpu"
    )
    train(options, workdir=first)
    train(TrainOptions(model="popularity"), workdir=second)
    for workdir in (first, second):
        evaluate(EvaluateOptions(cutoffs=(5, 10), resamples=50, device="cpu"), workdir=workdir)
    return Runs(first, second)


@pytest.fixture(scope="session")
def source(runs: Runs) -> Source:
    """The first run as the sections read it."""
    return Source.open(runs.cocorec, None)


@pytest.fixture(scope="session")
def page(runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the first run, with the second beside it."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    options = ReportOptions(runs=(f"counts={runs.popularity}",), output=path, resamples=50)
    report(options, workdir=runs.cocorec, compare=lambda **values: compare(CompareOptions(**values)))
    return path


def _with_evil_titles(table: pa.Table) -> pa.Table:
    titles = table["title"].to_pylist()
    titles[: len(EVIL)] = EVIL
    return table.set_column(table.schema.get_field_index("title"), "title", pa.array(titles))
