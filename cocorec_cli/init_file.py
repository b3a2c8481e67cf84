"""The text of the configuration file that ``cocorec init`` writes."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stages.preprocess.proposal import Proposal

_ADDRESS = re.compile(r"^\w+:/")
_FAR = os.path.join("..", "..", "..")  # noqa: PTH118
_SHOWN = 6


def configuration(proposal: "Proposal", path: Path, workdir: Path) -> str:
    """A commented ``cocorec.toml``.

    Args:
        proposal: what suits the data.
        path: where the file will stand; paths in it are relative to its folder.
        workdir: the work directory.
    """
    folder = path.absolute().parent
    return "\n".join([*_head(path, folder, workdir), *_preprocess(proposal, folder), *_rest(proposal)]) + "\n"


def _head(path: Path, folder: Path, workdir: Path) -> Iterator[str]:
    name = "" if path.name == "cocorec.toml" else f" --config {path.name}"
    yield "# Made by `cocorec init` from a look at the data. All stages, in this folder:"
    yield "#"
    yield f"#     cocorec run{name}"
    yield "#"
    yield "# One stage with one option changed: `cocorec train --config FILE --seed 1`. A table per command; keys are"
    yield "# its options, as `cocorec COMMAND --help` explains them. Relative paths start at this folder."
    yield ""
    yield f"workdir = {toml(_relative(str(workdir), folder))}"


def _preprocess(proposal: "Proposal", folder: Path) -> Iterator[str]:
    facts, options = proposal.facts, dict(proposal.options)
    yield ""
    yield "[preprocess]"
    yield f"# Read as {facts['format']}, {facts['rows_read']:,} rows."
    if facts["times"]:
        yield f"# Times: {facts['times']}."
    for name, value in options.items():
        if name not in ("views", "k_core"):
            value = [_relative(one, folder) for one in value] if name in ("inputs", "items") else value
            yield f"{name} = {toml(value)}"
    if facts["times"] is None and not facts["published_split"]:
        yield "# No time was found: the order of the rows is taken for the order of events."
        yield '# time_column = "..."'
    if "views" in options:
        for view, reason in proposal.left_out.items():
            yield f"# Not a view: {_comment(view)} ({_comment(reason)})."
        yield f"views = {toml(options['views'])}"
    if proposal.kinds:
        column, counts = proposal.kinds
        told = ", ".join(f"{_comment(kind)} ({count:,})" for kind, count in list(counts.items())[:_SHOWN])
        yield f"# A part of the log. The column {_comment(column)} has {told}."
        yield "# where = " + toml(f"\"{column}\" = '{next(iter(counts))}'")
    if proposal.rating and "rating_min" not in options:
        yield f"# Drop what was rated lower; the ratings are in {_comment(proposal.rating)}."
        yield "# rating_min = 4"
    if facts["published_split"]:
        yield "# The data come with a split into training, validation and test, which is kept."
    before: dict[str, int] = {}
    for k, kept in proposal.cores.items():
        if kept == before:
            continue
        before = kept
        what = f"{k}-core" if k else "whole log"
        counts_of = ", ".join(f"{number:,} {name}" for name, number in kept.items())
        yield f"# The {what}: {counts_of}."
    if "k_core" in options:
        yield f"k_core = {options['k_core']}"


def _rest(proposal: "Proposal") -> Iterator[str]:
    views = proposal.views
    if views:
        yield ""
        yield "[embed]"
        yield f"views = {toml(list(views))}"
        yield ""
        yield "[train]"
        yield "# The default model: texts and a free vector per item. With semantic codes, too, which quantize makes:"
        yield '# model = "cocorec"'
    else:
        yield ""
        yield "[train]"
        yield "# There are no texts of items (--items), so a model of item numbers; embed and quantize are left out."
        yield 'model = "sasrec"'
    yield ""
    yield "[evaluate]"
    yield "# In a nightly job: end with exit code 4 where the model is worse than this."
    yield '# fail_under = ["ndcg@10=0.05"]'
    yield ""
    yield "[recommend]"
    if views:
        yield f"with_views = {toml([views[0]])}"


def _relative(name: str, folder: Path) -> str:
    """A path as seen from the folder, absolute where it lies far from it; addresses as they are."""
    if _ADDRESS.match(name):
        return name
    found = os.path.relpath(name, folder)
    return os.path.abspath(name) if found.startswith(_FAR) else found  # noqa: PTH100  # links stay as they are


def toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _comment(text: str) -> str:
    """A text that cannot end a comment."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "")
