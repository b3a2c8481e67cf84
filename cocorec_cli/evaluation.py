"""What ``cocorec evaluate`` prints: the line that matters first, then the model and popularity side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

from cocorec_cli.report import Report, print_made, print_table

_PROTOCOLS = {"all_items": "all items ranked", "exclude_seen": "history excluded"}
_TABLES = ("metrics", "popularity", "protocols", "popularity_groups", "beyond_accuracy", "unseen_metrics")
_SAID = ("popularity_cut", "counts_cut", "repeated_targets")
"""Facts that stand in titles, or below the table where there is something to say."""


def print_evaluation(report: Report, *, verbose: bool) -> None:
    """Print the result of an evaluation for a person.

    Args:
        report: of the stage.
        verbose: also the other protocol, the lists beyond accuracy and the targets by popularity.
    """
    facts = report.result.facts
    protocols: Mapping[str, Any] = facts["protocols"]
    first = "exclude_seen" if facts["exclude_seen"] else "all_items"
    print_made(report)
    shown = protocols if verbose else [first]
    for name in sorted(shown, key=lambda name: name != first):
        _print_metrics(facts, name)
    if unseen := facts.get("unseen_metrics"):
        rows = [[name, *_figures(metric)] for name, metric in unseen.items() if _is_shown(name, facts)]
        title = f"the same of the {facts['unseen_targets']:,} targets that training never saw"
        print_table(["metric", "model", "95 % interval"], rows, title=title)
    if verbose:
        _print_details(facts)
    else:
        print("more with --verbose: the other protocol, diversity of the lists, popularity")


def _print_metrics(facts: Mapping[str, Any], protocol: str) -> None:
    """The metrics of the model and of popularity by one protocol."""
    figures = facts["protocols"][protocol]
    rows = []
    for name in (name for name in facts["metrics"] if _is_shown(name, facts)):
        model, popularity = figures["metrics"][name], figures["popularity"][name]
        times = f"{model['mean'] / popularity['mean']:.1f}" if popularity["mean"] else "-"
        rows.append([name, *_figures(model), *_figures(popularity), times])
    print_table(
        ["metric", "model", "95 % interval", "popularity", "95 % interval", "times"],
        rows,
        title=f"{facts['targets']:,} targets of {facts['users']:,} users among {facts['items']:,} items, "
        f"{facts['split']} split, {_PROTOCOLS[protocol]}",
        spare=("times",),
    )


def _print_details(facts: Mapping[str, Any]) -> None:
    print(f"  means over users; popularity counted {facts['popularity_cut']}")
    if not _are_several(facts):
        print("  one target a user: hit@K is recall@K, map@K is 1 / rank within K")
    if facts["repeated_targets"]:
        print(f"  targets that a user has twice count once: {facts['repeated_targets']:,}")
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
    rest = {name: value for name, value in facts.items() if name not in (*_TABLES, *_SAID)}
    print_table([], [[name.replace("_", " "), str(value)] for name, value in rest.items()], title="further")


def _are_several(facts: Mapping[str, Any]) -> bool:
    """Whether a user has several targets."""
    return bool(facts["targets"] > facts["users"])


def _is_shown(name: str, facts: Mapping[str, Any]) -> bool:
    """With one target a user hit and MAP say what others say."""
    return _are_several(facts) or not name.startswith(("hit@", "map@"))


def _figures(metric: Mapping[str, float]) -> Sequence[str]:
    return [_number(metric["mean"]), f"{_number(metric['low'])}-{_number(metric['high'])}"]


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if value < 10 else f"{value:,.1f}"
