"""The models and backbones by name, one line each. Importing this file imports no torch, so that help stays quick."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stages.artifacts.errors import UsageError

if TYPE_CHECKING:
    from stages.model.backbone import Backbone
    from stages.model.base import Model


@dataclass(frozen=True)
class Entry:
    """Where a class is and what it does.

    Attributes:
        target: ``module:Class``; imported only when it is asked for.
        summary: a short phrase for the help of the option.
        vectors: whether it has vectors of items; models that count have none.
    """

    target: str
    summary: str
    vectors: bool = True

    def load(self) -> Any:
        """Import the class."""
        module, _, name = self.target.partition(":")
        return getattr(importlib.import_module(module), name)


MODELS = {
    "cocorec": Entry("stages.model.cocorec:CoCoRec", "texts and codes"),
    "text": Entry("stages.model.text:TextModel", "texts"),
    "codes": Entry("stages.model.codes:CodesModel", "codes"),
    "unisrec": Entry("stages.model.unisrec:UniSRec", "texts through a mixture of experts"),
    "sasrec": Entry("stages.model.sasrec:SASRec", "item numbers"),
    "cooccurrence": Entry(
        "stages.model.cooccurrence:Cooccurrence", "counts which items stand near each other", vectors=False
    ),
    "transitions": Entry("stages.model.transitions:Transitions", "counts which item followed which", vectors=False),
    "popularity": Entry("stages.model.popularity:Popularity", "counts how often an item occurred", vectors=False),
}
"""The values of ``--model``, in the order of its help."""

BACKBONES = {
    "transformer": Entry("stages.model.transformer:Transformer", "causal self-attention, as in SASRec"),
    "bsarec": Entry("stages.model.bsarec:BSARec", "self-attention mixed with a causal low-pass filter"),
}
"""The values of ``--backbone``."""


def choices_help(entries: Mapping[str, Entry]) -> str:
    """The entries as one sentence of an option's help."""
    return "; ".join(f"{name}: {entry.summary}" for name, entry in entries.items()) + "."


def require_known(option: str, name: str, entries: Mapping[str, Entry]) -> None:
    """Refuse a name that is not among the entries.

    Raises:
        UsageError: naming the option and the choices.
    """
    if name not in entries:
        raise UsageError(f"{option} {name!r} is unknown", f"Choose one of {', '.join(entries)}.")


def model_class(name: str) -> type[Model]:
    """The class of a model.

    Raises:
        UsageError: when there is no such model.
    """
    require_known("--model", name, MODELS)
    found: type[Model] = MODELS[name].load()
    return found


def backbone_class(name: str) -> type[Backbone]:
    """The class of a backbone.

    Raises:
        UsageError: when there is no such backbone.
    """
    require_known("--backbone", name, BACKBONES)
    found: type[Backbone] = BACKBONES[name].load()
    return found


def needed_files(name: str) -> tuple[str, ...]:
    """The artifacts that describe the items to a model, by their names in the work directory.

    Raises:
        UsageError: when there is no such model.
    """
    return model_class(name).reads
