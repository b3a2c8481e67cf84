"""What the stage reports of the data."""

import shlex
from collections.abc import Mapping
from typing import Any

from stages.preprocess.histories.counts import SequenceCounts
from stages.preprocess.histories.split import MINIMUM
from stages.preprocess.items.file import Described
from stages.preprocess.items.item_table import ItemTable
from stages.preprocess.options import LEAVE_ONE_OUT
from stages.preprocess.sources.bad_rows import listed
from stages.preprocess.sources.ids import BLANKS, ROUNDED, doubtful

TEXTLESS = "cooccurrence, sasrec, transitions, popularity"
"""The models that read no texts; a test holds them against the registry, which this stage may not import."""


def sequence_facts(
    counts: SequenceCounts, items: int, *, ties: int, newest_first: bool, dropped: Mapping[str, int]
) -> dict[str, Any]:
    """Counts of users, items and interactions, lengths, the parts of the split, and what was dropped.

    Args:
        counts: of all histories.
        items: of the catalogue.
        ties, newest_first, dropped: see :class:`stages.preprocess.histories.interactions.Interactions`.
    """
    return {
        **counts.facts(items),
        "interactions_at_equal_times": ties,
        **({"newest_first_ties": ties} if newest_first and ties else {}),
        "dropped": [{"reason": reason, "count": count} for reason, count in dropped.items() if count],
    }


def item_facts(described: Described, items: ItemTable | None, taken: int | None = None) -> dict[str, Any]:
    """The share of items with each view, and how well item metadata and log fit together.

    Args:
        described: what goes into ``items.parquet``.
        items: the item metadata; ``None`` when there is none.
        taken: how many items have interactions; given when items without any are kept, to count these.
    """
    frame = described.frame
    cold = {} if taken is None else {"cold_items": frame.height - taken}
    views = {view: round(1 - frame[view].null_count() / frame.height, 6) for view in frame.columns[2:]}
    if items is None:
        return {**cold, "views": views}
    return {
        **cold,
        "views": views,
        "views_left_out": described.empty,
        "items_without_metadata": frame.height - items.frame.height - described.remembered,
        "metadata_rows_of_other_items": items.unused,
        "metadata_rows_repeated": items.repeated,
        "null_words": {
            view: words for view in frame.columns[2:] if (words := doubtful(frame[view].drop_nulls(), texts=True))
        },
    }


def reading_facts(rows: int, doubtful_ids: Mapping[str, Any], passed_over: list[str]) -> dict[str, Any]:
    """What reading found that the user should know: doubtful ids, and files that were not read."""
    return {
        "rows_read": rows,
        **({"doubtful_ids": doubtful_ids} if doubtful_ids else {}),
        **({"passed_over": passed_over} if passed_over else {}),
    }


def warnings_about(facts: Mapping[str, Any]) -> list[str]:
    """What the user should know before training on these data."""
    warnings = list(facts.get("passed_over", []))
    for kind, words in facts.get("doubtful_ids", {}).items():
        warnings += _about_doubtful(kind, words)
    for view, words in facts.get("null_words", {}).items():
        warnings.append(
            f"view {view!r} has texts that may stand for nothing: {_counted(words)}; --null-values makes them nothing"
        )
    if facts.get("newest_first_ties"):
        warnings.append(
            f"the log is newest first, and {facts['newest_first_ties']:,} interactions have user and time of another: "
            "these stand in the order of the file, so perhaps the wrong way round"
        )
    for view in facts.get("views_left_out", []):
        warnings.append(f"view {view!r} is left out: no item has a text there")
    if not facts["views"]:
        warnings.append(
            "items.parquet has no text view: embed and quantize have nothing to do, and only models of interactions "
            f"alone can be trained: `cocorec train --model NAME`, with one of {TEXTLESS}"
        )
    for file, numbers in facts.get("bad_rows", {}).items():
        warnings.append(f"{file}: malformed lines were skipped: {listed(numbers)}")
    missing = facts.get("items_without_metadata", 0)
    if missing:
        warnings.append(f"{missing:,} of {facts['items']:,} items have no metadata; their views are empty")
    if not facts["test_interactions"] or not facts["valid_interactions"]:
        why = f": leave-one-out needs users with at least {MINIMUM} items" if facts["split"] == LEAVE_ONE_OUT else ""
        warnings.append(f"no interaction is left for {'validation' if facts['test_interactions'] else 'test'}{why}")
    if facts["users_without_training_items"]:
        warnings.append(
            f"{facts['users_without_training_items']:,} users have no item before their validation or test items"
        )
    for part in ("valid", "test"):
        if alone := facts.get(f"{part}_targets_without_history", 0):
            warnings.append(
                f"{alone:,} of {facts[f'{part}_interactions']:,} {part} targets belong to users without earlier items "
                "and will not be ranked"
            )
    if facts.get("implausible_times", 0):
        warnings.append(
            f"{facts['implausible_times']:,} times, read in {facts['time_unit']}, are not within the years 1990 to 2100"
        )
    if facts["users_with_times"] == 0 and facts["split"] != "published":
        like = facts.get("time_like_column")
        named = f"; column {like!r} looks like one: --time-column {shlex.quote(like)}" if like else ""
        warnings.append(f"the log has no times: the order of its rows is taken for the order of events{named}")
    outside = facts.get("outside_k_core", {})
    if outside.get("users", 0) > facts["users"]:
        warnings.append(
            f"the {facts['k_core']}-core leaves out {outside['users']:,} of {outside['users'] + facts['users']:,} "
            f"users and {outside['items']:,} of {outside['items'] + facts['items']:,} items; a lower --k-core keeps "
            "more, and `cocorec recommend` serves all who have taken an item that is left"
        )
    for row in facts["dropped"]:
        if row["reason"].startswith(("rows without", "rows that repeat", "rows with half")):
            warnings.append(f"{row['count']:,} {row['reason']} were dropped")
    return warnings


def _about_doubtful(kind: str, words: Mapping[str, int]) -> list[str]:
    """Warnings of ids that may stand for nothing or for another id."""
    nothing = {word: count for word, count in words.items() if word not in (ROUNDED, BLANKS)}
    warnings = []
    if nothing:
        warnings.append(
            f"{sum(nothing.values()):,} rows have {kind} ids that may stand for nothing: {_counted(nothing)}; "
            "--null-values makes them nothing"
        )
    if rounded := words.get(ROUNDED):
        warnings.append(f"{rounded:,} rows have {kind} ids such as {ROUNDED}: a spreadsheet has rounded them")
    if blanks := words.get(BLANKS):
        warnings.append(f"{blanks:,} rows have {kind} ids with blanks around them, which count as other ids")
    return warnings


def _counted(words: Mapping[str, int]) -> str:
    return ", ".join(f"{word} ({count:,})" for word, count in words.items())
