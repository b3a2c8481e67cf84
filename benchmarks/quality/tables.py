"""Makes the tables of the quality benchmark, in Markdown, from what the runner has written.

    python -m benchmarks.quality.tables RUNS [MORE RUNS] [--data scientific] [--split valid]

Every figure comes from `metrics.json`, `ranks.parquet`, `model/` and `journal.jsonl` in the folders of the runs. Runs
that are not up to date with `runs.toml` are named and left out.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.quality.folders import SPLITS
from benchmarks.quality.plan import Plan, chosen, read_plan
from benchmarks.quality.results import PROTOCOLS, Facts, Measured, Results, read_results
from benchmarks.quality.run import PLAN
from stages.artifacts.errors import CocorecError, UsageError
from stages.compare import CompareOptions, compare

TESTED = ("ndcg@10", "recall@10")
"""Metrics whose differences are tested."""

RESAMPLES = 10_000

SHARES = (0.9, 0.95, 0.98, 0.99, 1.0)
"""Of the baseline's best validation NDCG@10, which the CPU seconds are told for."""

_COLUMNS = (
    (PROTOCOLS[0], ("recall@10", "ndcg@10", "recall@50", "ndcg@50")),
    (PROTOCOLS[1], ("recall@10", "ndcg@10")),
)


def markdown(runs: Path, plan: Plan, data: Sequence[str], split: str, resamples: int = RESAMPLES) -> Iterator[str]:
    """The lines of all tables of a folder of runs, data set by data set.

    Args:
        runs: the folder.
        plan: what the runs are called, and their order.
        data: names of data sets; those without a finished run are left out.
        split: that was evaluated.
        resamples: for the intervals and p-values of differences.
    """
    rows: dict[str, None] = {}
    for name in data:
        results = read_results(runs, plan, name, split)
        if results.unfinished:
            print(f"{name}: not up to date, left out: {', '.join(results.unfinished)}", file=sys.stderr)
        if results.rows:
            rows |= dict.fromkeys(results.rows)
            yield from _data_set(plan, name, results, split, resamples)
    if rows:
        yield from ("### The rows", "", *_table(["row", "command"], _commands(plan, rows)), "")


def _data_set(plan: Plan, name: str, results: Results, split: str, resamples: int) -> Iterator[str]:
    facts = next(iter(results.rows.values()))[0].evaluated
    unseen = f", {facts['unseen_targets']:,} of items that training never saw" if "unseen_targets" in facts else ""
    yield from (f"### {plan.data[name].title}", "")
    yield (
        f"{_split_name(split)}: {facts['users']:,} users, {facts['items']:,} items, {facts['targets']:,} "
        f"targets{unseen}. All items are ranked, unless the columns say that histories are excluded. Figures are means "
        "over seeds, in brackets the ends of the 95 % bootstrap intervals over users, likewise. Models were evaluated "
        f"on this split {results.looks} times. CPU seconds are of one thread, from the start of training to the end of "
        "the best epoch, means over seeds."
    )
    yield from ("", *_table(*_accuracy(results.rows)), "")
    if plan.baseline in results.rows and len(results.rows) > 1:
        yield from _differences(plan, results.rows, resamples)
        yield from _times(plan.baseline, results.rows)
    if unseen:
        yield from ("Targets of items that training never saw, all items ranked:", "")
        yield from (*_table(["row", "Recall@10", "NDCG@10"], _of_unseen(results.rows)), "")


def _accuracy(rows: Mapping[str, Sequence[Measured]]) -> tuple[list[str], list[list[str]]]:
    head = ["row", "seeds"]
    for protocol, names in _COLUMNS:
        head += [_metric_name(name) + (", history excluded" if protocol == PROTOCOLS[1] else "") for name in names]
    head += ["NDCG@10 by seed", "validation NDCG@10", "best epoch", "CPU s"]
    body = []
    for name, found in rows.items():
        cells = [name, str(len(found))]
        for protocol, names in _COLUMNS:
            values = [run.evaluated["protocols"][protocol]["metrics"] for run in found]
            cells += [_with_interval([one[metric] for one in values]) for metric in names]
        by_seed = [run.evaluated["protocols"][PROTOCOLS[0]]["metrics"]["ndcg@10"]["mean"] for run in found]
        cells.append(", ".join(f"{value:.4f}" for value in by_seed))
        cells.append(f"{_mean([run.trained['validation']['ndcg@10'] for run in found]):.4f}")
        cells.append(", ".join(str(run.trained["best_epoch"]) for run in found))
        spent = [run.cpu_to_best for run in found]
        cells.append("not seen" if None in spent else f"{_mean([one for one in spent if one is not None]):.0f}")
        body.append(cells)
    return head, body


def _differences(plan: Plan, rows: Mapping[str, Sequence[Measured]], resamples: int) -> Iterator[str]:
    """Paired differences from the baseline, of the first seed that it has, through ``compare``."""
    seed = rows[plan.baseline][0].seed
    folders = {name: run.folder for name, found in rows.items() for run in found if run.seed == seed}
    # The same model twice would be tested twice.
    folders = {name: folder for name, folder in folders.items() if not plan.rows[name].same_as}
    if len(folders) < 2:
        return
    options = CompareOptions(
        tuple(f"{name}={folder}" for name, folder in folders.items()),
        baseline=plan.baseline,
        metrics=TESTED,
        exclude_seen=False,
        resamples=resamples,
    )
    found = compare(options)["differences"]
    yield (
        f"Differences from `{plan.baseline}`, seed {seed}, paired by user, all items ranked: 95 % bootstrap interval, "
        f"and p of a randomization test after Holm's correction over all {len(found)} tests of this table."
    )
    head = ["row", *(cell for name in TESTED for cell in (_metric_name(name), "p"))]
    body = []
    for name in (name for name in folders if name != plan.baseline):
        cells = [name]
        for metric in TESTED:
            one = next(row for row in found if row["run"] == name and row["metric"] == metric)
            cells.append(f"{_signed(one['difference'])} ({_signed(one['low'])} to {_signed(one['high'])})")
            cells.append(f"{one['p_holm']:.3g}")
        body.append(cells)
    yield from ("", *_table(head, body), "")


def _times(baseline: str, rows: Mapping[str, Sequence[Measured]]) -> Iterator[str]:
    """CPU seconds until validation is as good as shares of the baseline's best, of the first seed that it has."""
    first = rows[baseline][0]
    runs = {name: run for name, found in rows.items() for run in found if run.seed == first.seed}
    best = max((reached for reached, _ in first.course), default=0.0)
    goals = [share * best for share in SHARES]
    body = [[name, *map(_seconds, map(run.cpu_to_reach, goals))] for name, run in runs.items()]
    body = [cells for cells in body if any(cell != "-" for cell in cells[1:])]
    yield (
        f"CPU seconds of training, seed {first.seed}, until validation NDCG@10 of an epoch first reaches a share of "
        f"the best that an epoch of `{baseline}` has; rows that reach none are left out."
    )
    head = ["row", *(f"{share:.0%}: {goal:.4f}" for share, goal in zip(SHARES, goals, strict=True))]
    yield from ("", *_table(head, body), "")


def _seconds(spent: float | None) -> str:
    return "-" if spent is None else f"{spent:.0f}"


def _of_unseen(rows: Mapping[str, Sequence[Measured]]) -> list[list[str]]:
    def cells(name: str, found: Sequence[Measured]) -> list[str]:
        values = [run.evaluated["unseen_metrics"] for run in found]
        return [name, *(_with_interval([one[metric] for one in values]) for metric in ("recall@10", "ndcg@10"))]

    return [cells(name, found) for name, found in rows.items()]


def _commands(plan: Plan, rows: Mapping[str, None]) -> list[list[str]]:
    body = []
    for name in rows:
        row = plan.rows[name]
        same = f", the runs of `{row.same_as}`" if row.same_as else ""
        title = "" if row.title == name else f": {row.title}"
        body.append([f"{name}{title}", f"`cocorec {' '.join(row.command())}`{same}"])
    return body


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "| " + " | ".join("---" for _ in head) + " |"
    yield from ("| " + " | ".join(cells) + " |" for cells in body)


def _with_interval(values: Sequence[Facts]) -> str:
    middle, low, high = (_mean([value[name] for value in values]) for name in ("mean", "low", "high"))
    return f"{middle:.4f} ({low:.4f}–{high:.4f})"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", "−")


def _metric_name(name: str) -> str:
    return name.replace("ndcg", "NDCG").replace("recall", "Recall")


def _split_name(split: str) -> str:
    return {"test": "Test split", "valid": "Validation split"}[split]


def main(argv: list[str] | None = None) -> int:
    """Print the tables; 2 where the request does not fit, 3 where files are damaged or there is nothing to tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUNS", help="folders that the runner has filled")
    parser.add_argument("--plan", type=Path, default=PLAN, help="as given to the runner")
    parser.add_argument("--data", help="names of data sets, separated by commas; all by default")
    parser.add_argument("--split", choices=SPLITS, default="test")
    given = parser.parse_args(argv)
    try:
        plan = read_plan(given.plan)
        data = chosen("--data", list(plan.data), given.data)
        for runs in given.runs:
            if not runs.is_dir():
                raise UsageError(f"{runs} does not exist", "RUNS is what `make quality` has filled.")
            lines = list(markdown(runs, plan, data, given.split))
            if not lines:
                print(f"error: {runs} has no run that is finished on the {given.split} split", file=sys.stderr)
                return 3
            print("\n".join(lines))
    except CocorecError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
