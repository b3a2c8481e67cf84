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
from stages.artifacts.names import HISTORY, METRICS, MODEL_CONFIG
from stages.artifacts.tables import read_table
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
        course: of each epoch its validation NDCG@10 and the CPU seconds up to its end; only what was seen.
    """

    seed: int
    folder: Path
    evaluated: Facts
    trained: Facts
    cpu_to_best: float | None
    course: Sequence[tuple[float, float]]

    def cpu_to_reach(self, validation: float) -> float | None:
        """CPU seconds up to the end of the first epoch with such a validation NDCG@10; ``None`` where none has it."""
        return next((seconds for reached, seconds in self.course if reached >= validation), None)


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
            course = _course(folder, facts, best)
            rows.setdefault(row.name, []).append(Measured(seed, evaluated, metrics, facts, best, course))
    return Results(journal.looks(entries, data, split), rows, unfinished)


def _course(folder: Path, facts: Facts, best: float | None) -> list[tuple[float, float]]:
    """See :attr:`Measured.course`; a model that counts tells of no epochs and has one."""
    if not (folder / EPOCHS).exists():
        return [] if best is None else [(facts["validation"]["ndcg@10"], best)]
    history = read_table(folder / HISTORY)
    epochs = zip(history["epoch"].to_pylist(), history["ndcg@10"].to_pylist(), strict=True)
    seen = ((reached, cpu_seconds_to(folder / EPOCHS, epoch)) for epoch, reached in epochs)
    return [(reached, seconds) for reached, seconds in seen if seconds is not None]


def _facts(path: Path) -> Facts:
    lineage = read_lineage(path)
    assert lineage is not None  # is_finished has read it
    return lineage.facts
