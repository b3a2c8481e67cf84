"""``--init-from``: the weights that training starts from, those of a model of this or another work directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from stages.artifacts.errors import DataError, UsageError, raise_shortage
from stages.artifacts.lineage import RAW, difference, read_lineage
from stages.artifacts.names import MODEL_WEIGHTS
from stages.frame.run import StageRun
from stages.model.base import LearnedModel, Model
from stages.model.files import Saved, read_saved
from stages.model.matching import matched_items
from stages.model.recommender import CALIBRATION, Recommender
from stages.model.registry import model_class
from stages.model.trained_items import TrainedItems
from stages.train.checkpoint import Checkpoints, run_key
from stages.train.options import TrainOptions

_INPUT = "initial model.safetensors"

_MAY_DIFFER = ("items", "dropout", "fusion_dropout", "new_item_rate", "cooccurrence_partners", "calibrate")
"""Attributes of a model on which the shapes and the meaning of its weights do not depend."""


@dataclass(frozen=True)
class Start:
    """Where a run starts from.

    Attributes:
        saved: what the work directory of the model says of it.
        repeated: this very command has put its own weights in the place of those that it started from.
    """

    saved: Saved
    repeated: bool


@dataclass(frozen=True)
class Initial:
    """A trained model to start from.

    Attributes:
        saved: what its work directory says of it.
        weights: by name.
        whitening: of its texts, which the model that starts from it reads alike.
    """

    saved: Saved
    weights: dict[str, Tensor]
    whitening: dict[str, Tensor]

    @classmethod
    def read(cls, start: Start, options: TrainOptions, items: TrainedItems) -> Initial:
        """Read the weights.

        Args:
            start: as :func:`note_initial` gave it.
            options: of the run.
            items: how texts and codes of the work directory were made.

        Raises:
            DataError: when the weights are missing or damaged, or their sizes, texts or codes are others.
        """
        saved = start.saved
        require_same_sizes(saved, {name: getattr(options, name) for name in vars(options)})
        saved.items.require_same_inputs(items, f"--init-from: the model of {saved.path}")
        return cls(saved, *saved.tensors(of_this_run=not start.repeated))

    def into(self, model: Model, item_ids: Path) -> dict[str, int]:
        """Give a model the weights; rows of items are matched by the items' ids, others keep their first values.

        Args:
            model: with first weights of its own.
            item_ids: ``items.parquet`` of the work directory, read only where the model has weights of items.

        Returns:
            How many items have ``known`` weights and how many are ``new``; nothing for models without weights of items.

        Raises:
            DataError: when sizes differ, or the ids cannot be read or are not those of the items with these weights.
        """
        require_same_sizes(self.saved, model.config.to_dict())
        assert isinstance(model, Recommender)
        learned = {name for name, _ in model.named_parameters()}
        counted = {name: tensor for name, tensor in model.state_dict().items() if name not in learned}
        # What is counted will be counted anew, in the log as it is now, and what was chosen on validation chosen anew.
        weights = {name: tensor for name, tensor in self.weights.items() if not name.startswith(CALIBRATION)}
        weights, counts = {**weights, **counted}, {}
        if (rows := model.item_rows) in weights:
            there, here = matched_items(self.saved, item_ids, model.config.items, "--init-from")
            table = model.state_dict()[rows].clone()
            table[here] = weights[rows][there].to(table)
            weights[rows] = table
            counts = {"known": len(here), "new": model.config.items - len(here)}
        try:
            model.load_state_dict(weights)
        except RuntimeError as error:
            raise DataError(
                f"--init-from: the weights of {self.saved.path} do not fit: {error}", "Leave --init-from out."
            ) from error
        return counts


def require_same_sizes(saved: Saved, sizes: Mapping[str, Any]) -> None:
    """Refuse sizes that the weights of a model were not made for.

    Raises:
        DataError: naming all that differ.
    """
    theirs = {name: value for name, value in saved.config.to_dict().items() if name not in _MAY_DIFFER}
    if not theirs["text_dim"]:
        del theirs["text_dim"]  # of a model without texts
    differing = [name for name, value in theirs.items() if name in sizes and sizes[name] != value]
    if differing:
        said = ", ".join(f"{name} is {theirs[name]} there and {sizes[name]} here" for name in differing)
        raise DataError(
            f"--init-from: the model of {saved.path} does not fit: {said}",
            "Train with the options that it was trained with, or leave --init-from out.",
        )


def note_initial(folder: Path, run: StageRun, model: str) -> Start:
    """Note the model to start from as an input.

    Where that is the model of this very work directory, and this very command has made it anew since, the run is known
    by what it started from: it is up to date, or goes on from its checkpoint.

    Args:
        folder: the work directory of the model.
        run: of the stage, all other inputs noted.
        model: the model to be trained.

    Raises:
        UsageError: when the model to be trained is another one, or learns no weights.
        DataError: when there is none, or it is damaged.
    """
    saved = read_saved(folder)
    if not issubclass(model_class(model), LearnedModel):
        raise UsageError(f"--init-from is for models that learn weights, not for {model}", "Leave it out.")
    if saved.config.model != model:
        raise UsageError(
            f"--init-from: {saved.path} is of the model {saved.config.model}, not {model}",
            f"Give --model {saved.config.model}, or leave --init-from out.",
        )
    weights = folder / MODEL_WEIGHTS
    run.read_raw(_INPUT, run.fingerprints.of(weights))
    in_place = weights.resolve() == run.path(MODEL_WEIGHTS).resolve()
    return Start(saved, repeated=in_place and _repeats(weights, run))


def _repeats(weights: Path, run: StageRun) -> bool:
    """Whether this very command made the weights; the run is then known by what it started from."""
    lineage = read_lineage(weights)
    earlier = lineage.inputs.get(RAW + _INPUT) if lineage else None
    if lineage is None or earlier is None:
        return False
    inputs = {**run.inputs, RAW + _INPUT: earlier}
    if difference(lineage, run.recorded, inputs) is not None:
        return False
    now, run.inputs = run.inputs, inputs
    if run.fresh() is None and not _has_checkpoint(run):
        run.inputs = now
        return False
    return True


def _has_checkpoint(run: StageRun) -> bool:
    try:
        saved: Any = Checkpoints(run.workdir).progress()
    except DataError as error:
        raise_shortage(error)
        return False  # told when the checkpoint is used
    return saved is not None and saved.key == run_key(run)
