"""What a stage made, in one line, and the command that comes after it."""

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cocorec_cli.options import DEFAULT_WORKDIR
from stages.model.registry import MODELS

Facts = Mapping[str, Any]

MAIN_METRIC = "ndcg@10"
"""What is told of an evaluation where it was measured; else its first metric."""


def headline(stage: str, facts: Facts) -> str:
    """What came out of a stage; empty for a stage of which nothing is known here."""
    known = _HEADLINES.get(stage)
    try:
        return known(facts) if known else ""
    except (KeyError, TypeError, ValueError):  # facts of an artifact that another version made
        return ""


def _has_vectors(facts: Facts) -> bool:
    """Whether `similar` can ask the model, whose name is among the facts; what is unknown may."""
    known = MODELS.get(str(facts.get("model")))
    return known is None or known.vectors


def next_command(stage: str, facts: Facts, workdir: Path, config: Path | None = None) -> str | None:
    """What to type next.

    Args:
        stage: that has just run.
        facts: of it.
        workdir: where.
        config: the file that gave its options.
    """
    words = _NEXT.get(stage)
    if words is None or (stage == "recommend" and not _has_vectors(facts)):
        return None
    if stage == "preprocess" and not facts.get("views"):
        words = ["train --model cooccurrence"]
    if config is not None and stage != "tune":
        words = [*words, "--config", shlex.quote(str(config))]
    if workdir != DEFAULT_WORKDIR and config is None:
        words = [*words, "--workdir", shlex.quote(str(workdir))]
    return " ".join(["cocorec", *words])


def _preprocess(facts: Facts) -> str:
    return ", ".join(f"{facts[name]:,} {name}" for name in ("users", "items", "interactions"))


def _embed(facts: Facts) -> str:
    return f"{facts['texts']:,} texts of {len(facts['views'])} views to {facts['dimension']} dimensions"


def _quantize(facts: Facts) -> str:
    dead = sum(row["dead"] for row in facts["positions"])
    return (
        f"{facts['codes_per_item']} codes of {facts['codebook_size']} an item, {dead:,} dead; "
        f"{facts['unique_share']:.0%} of items unique"
    )


def _train(facts: Facts) -> str:
    validation = f"validation ndcg@10 {facts['validation']['ndcg@10']:.4f}"
    if "best_epoch" not in facts:
        return f"{facts['model']}: {validation}"
    return f"{facts['model']}: {validation} in epoch {facts['best_epoch']} of {facts['epochs']}"


def _evaluate(facts: Facts) -> str:
    name = MAIN_METRIC if MAIN_METRIC in facts["metrics"] else next(iter(facts["metrics"]))
    model, popularity = (facts[of][name]["mean"] for of in ("metrics", "popularity"))
    return f"{name} {model:.4f}, popularity {popularity:.4f} ({facts['split']} split)"


def _recommend(facts: Facts) -> str:
    return f"{facts['users']:,} users, {facts['recommendations']:,} recommendations"


_HEADLINES: dict[str, Callable[[Facts], str]] = {
    "preprocess": _preprocess,
    "embed": _embed,
    "quantize": _quantize,
    "train": _train,
    "evaluate": _evaluate,
    "recommend": _recommend,
}

_NEXT = {
    "preprocess": ["embed"],
    "embed": ["train"],
    "quantize": ["train"],
    "train": ["evaluate"],
    "evaluate": ["recommend"],
    "recommend": ["similar", "ITEM_ID"],
}
