"""What ``cocorec evaluate`` prints: both protocols side by side, in 80 columns."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cocorec_cli.report import Report, print_report, print_table

_PROTOCOLS = {"all_items": "all\nitems", "exclude_seen": "history\nexcluded"}
_TABLES = ("metrics", "popularity", "protocols", "popularity_groups", "beyond_accuracy", "unseen_metrics")
_SAID = ("popularity_cut", "counts_cut", "repeated_targets")
"""Facts that stand in titles, or below the table where there is something to say."""


def print_evaluation(report: Report) -> None:
    """Print the result of an evaluation for a person."""
    facts = report.result.facts
    rest = {name: value for name, value in facts.items() if name not in (*_TABLES, *_SAID)}
    print_report(replace(report, result=replace(report.result, facts=rest)))
    _print_metrics(facts)
    if unseen := facts.get("unseen_metrics"):
        rows = [[name, *_figures(metric)] for name, metric in unseen.items() if _is_shown(name, facts)]
        title = f"the same of the {facts['unseen_targets']:,} targets that training never saw"
        print_table(["metric", "mean", "95 % interval"], rows, title=title)
    if beyond := facts.get("beyond_accuracy"):
        print_table(
            list(beyond),
            [[_number(value) for value in beyond.values()]],
            title=f"lists, popularity counted in {facts['counts_cut']}",
        )
    print_table(
        ["group", "from interactions", "items", "targets"],
        [
            [row["group"], *(f"{row[name]:,}" for name in ("from_interactions", "items", "targets"))]
            for row in facts["popularity_groups"]
        ],
        title=f"targets by popularity, counted in {facts['counts_cut']}",
    )


def _print_metrics(facts: Mapping[str, Any]) -> None:
    """The metrics of the model, those of the lists' own protocol first, and of popularity by that protocol."""
    protocols: Mapping[str, Any] = facts["protocols"]
    first = "exclude_seen" if facts["exclude_seen"] else "all_items"
    order = [first, *(name for name in protocols if name != first)]
    names = [name for name in facts["metrics"] if _is_shown(name, facts)]
    columns = ["metric", *(cell for name in order for cell in (_PROTOCOLS[name], "95 %\ninterval")), "popularity"]
    rows = []
    for name in names:
        cells = [cell for protocol in order for cell in _figures(protocols[protocol]["metrics"][name])]
        rows.append([name, *cells, _number(facts["popularity"][name]["mean"])])
    print_table(columns, rows, title=f"metrics, means over users; popularity counted {facts['popularity_cut']}")
    if not _are_several(facts):
        print("  one target a user: hit@K is recall@K, map@K is 1 / rank within K")
    if facts["repeated_targets"]:
        print(f"  targets that a user has twice count once: {facts['repeated_targets']:,}")


def _are_several(facts: Mapping[str, Any]) -> bool:
    """Whether a user has several targets."""
    return bool(facts["targets"] > facts["users"])


def _is_shown(name: str, facts: Mapping[str, Any]) -> bool:
    """With one target a user hit and MAP say what others say."""
    return _are_several(facts) or not name.startswith(("hit@", "map@"))


def _figures(metric: Mapping[str, float]) -> list[str]:
    return [_number(metric["mean"]), f"{_number(metric['low'])}-{_number(metric['high'])}"]


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if value < 10 else f"{value:,.1f}"
