"""Reads what the runner has made: metrics, epochs and cost of every finished run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.quality import journal
from benchmarks.quality.epochs import EPOCHS, cpu_seconds_to
from benchmarks.quality.folders import is_finished, run_folder
from benchmarks.quality.plan import Plan
from stages.artifacts.lineage import read_lineage
from stages.artifacts.names import METRICS, MODEL_CONFIG
from stages.evaluate.options import EvaluateOptions

PROTOCOLS = ("all_items", "exclude_seen")

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Measured:
    """A finished run.

    Attributes:
        seed: of its training.
        folder: the work directory of its evaluation.
        evaluated: what ``evaluate`` reports.
        trained: what ``train`` reports.
        cpu_to_best: CPU seconds of training up to the end of the best epoch; ``None`` where they were not seen.
    """

    seed: int
    folder: Path
    evaluated: Facts
    trained: Facts
    cpu_to_best: float | None


@dataclass(frozen=True)
class Results:
    """What is known of a data set.

    Attributes:
        looks: how often models were evaluated on the split.
        rows: the finished runs of each row that has any, in the order of the plan.
        unfinished: rows and seeds that were begun, but are not up to date with the plan.
    """

    looks: int
    rows: Mapping[str, Sequence[Measured]]
    unfinished: Sequence[str]


def read_results(runs: Path, plan: Plan, data: str, split: str) -> Results:
    """The finished runs of a data set, evaluated on a split."""
    entries = journal.read(runs / journal.JOURNAL)
    rows: dict[str, list[Measured]] = {}
    unfinished = []
    for row in plan.rows.values():
        for seed in row.seeds:
            folder = run_folder(runs, data, row.same_as or row.name, seed)
            evaluated = folder / split
            if not folder.is_dir():
                continue
            trained = is_finished(folder, "train", row.options(seed))
            if not trained or not is_finished(evaluated, "evaluate", EvaluateOptions(split=split)):
                unfinished.append(f"{row.name} seed {seed}")
                continue
            facts, metrics = _facts(folder / MODEL_CONFIG), _facts(evaluated / METRICS)
            best = cpu_seconds_to(folder / EPOCHS, facts["best_epoch"])
            if best is None and facts["epochs"] == 1:  # a model that counts tells of no epochs
                best = journal.cpu_seconds(entries, data, row.same_as or row.name, seed, "train")
            rows.setdefault(row.name, []).append(Measured(seed, evaluated, metrics, facts, best))
    return Results(journal.looks(entries, data, split), rows, unfinished)


def _facts(path: Path) -> Facts:
    lineage = read_lineage(path)
    assert lineage is not None  # is_finished has read it
    return lineage.facts
