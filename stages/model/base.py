"""What every model follows: what it needs, how it is built, how it is fitted, how it scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol, Self

import torch
from torch import Tensor, nn

from stages.artifacts.errors import UsageError
from stages.artifacts.sequences import Sequences
from stages.model.batch import Batch
from stages.model.catalogue import Catalogue
from stages.model.config import ModelConfig
from stages.model.objective import Objective
from stages.model.packing import Packing
from stages.model.team import ALONE, Team

Tiles = Callable[[slice], Tensor]
"""Gives the scores (q, N + 1) of some of the histories, by item number; column 0, no item, means nothing."""

Scorer = Callable[[Tensor, Packing], Tiles]
"""Reads packed histories (R,) and their packing."""


class Fitting(Protocol):
    """How the train stage fits a model; a model takes the way that is its own."""

    def learn(self, model: LearnedModel) -> Any:
        """Train the weights by gradient descent on ``model.losses``."""

    def count(self, model: CountingModel) -> Any:
        """Let the model count, in one pass over the training part of the histories."""


class Model(nn.Module, ABC):
    """A recommender: gives every item a score after a history.

    A model is a class in a file of its own and a line in :data:`stages.model.registry.MODELS`. Its ``state_dict`` is
    what is saved; what depends on the catalogue alone is not part of it.

    Attributes:
        reads: the artifacts that describe the items to it: ``embeddings.parquet``, ``codes.parquet``, or
            ``items.parquet`` alone where it needs no more than their number.
        takes_ids: it has a place for free item vectors (``--with-ids``).
        ranks_new_items: it can rank items that came after it was trained.
        searched: options of ``train`` that ``tune`` varies unless it is told which, with their bounds; empty for a
            model that has nothing to tune.
        config: its sizes.
        origin: what errors call it: the file of its weights, once it comes from one.
        team: the processes that share its work.
    """

    origin = "the model"
    team: Team = ALONE
    reads: ClassVar[tuple[str, ...]]
    takes_ids: ClassVar[bool] = False
    ranks_new_items: ClassVar[bool] = False
    searched: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config

    @classmethod
    def check(cls, config: ModelConfig) -> None:
        """Refuse options that make no sense for this model.

        Raises:
            UsageError: naming the option.
        """

    @classmethod
    @abstractmethod
    def build(cls, config: ModelConfig, catalogue: Catalogue) -> Self:
        """A model to be fitted; its first weights come from torch's random generator."""

    @classmethod
    @abstractmethod
    def restore(cls, config: ModelConfig, catalogue: Catalogue, tensors: dict[str, Tensor]) -> Self:
        """A fitted model from its saved tensors.

        Raises:
            RuntimeError, TypeError, ValueError: when the tensors do not fit the configuration.
        """

    @classmethod
    def with_new_items(cls, tensors: dict[str, Tensor], added: int) -> dict[str, Tensor]:
        """The saved tensors with rows for items that came after training; for models that ``ranks_new_items``.

        Args:
            tensors: as they were saved.
            added: how many items there are more.
        """
        return tensors

    @classmethod
    def on_new_items(cls, config: ModelConfig) -> str:
        """How it ranks items that came after it was trained, as the rest of a sentence."""
        return "it ranks them by what describes them"

    @abstractmethod
    def fit(self, fitting: Fitting) -> Any:
        """Be fitted: call the method of ``fitting`` that suits, and return what it returns."""

    @abstractmethod
    def scorer(self) -> Scorer:
        """How the model, in evaluation mode, scores. What depends on the items alone is computed here, once."""

    @property
    def knows_repeats(self) -> bool:
        """Whether its scores say how often people take an item of their history again; if not, they mislead there."""
        return False

    @property
    def older_bias(self) -> Tensor | None:
        """What is added, (), to scores of items that a history held before the part that is read; ``None``: nothing."""
        return None

    def boost_new_items(self, boost: float) -> None:
        """Add something to the scores of items that training never saw, in every scorer that is made from now on.

        Args:
            boost: what is added; 0 for nothing.

        Raises:
            UsageError: for a model that does not know which items these are.
        """
        if boost:
            raise UsageError(
                f"--new-item-boost: the model {self.config.model} does not know which items training never saw",
                "Leave it out, or train a model with --cooccurrence-bias.",
            )

    def candidate_vectors(self) -> Tensor | None:
        """Vectors of the items as candidates (N + 1, d), row 0 zero; ``None`` for a model whose items have none."""
        return None


class LearnedModel(Model):
    """A model whose weights are learned by gradient descent.

    Attributes:
        loss_names: names of the losses that :meth:`losses` may give, in the order in which they are shown.
    """

    loss_names: ClassVar[tuple[str, ...]] = ("loss", "rec")

    @abstractmethod
    def losses(self, batch: Batch, objective: Objective) -> dict[str, Tensor]:
        """The losses of a batch by name, scalars; ``loss`` is their weighted sum, which is minimised."""

    def count(self, sequences: Sequences) -> None:
        """Count what the model counts beside what it learns, before it learns."""

    @abstractmethod
    def set_items(self, catalogue: Catalogue) -> None:
        """Take what describes the items: N of them, the number that the model was built for."""

    @classmethod
    def build(cls, config: ModelConfig, catalogue: Catalogue) -> Self:
        """See :meth:`Model.build`."""
        model = cls(config)
        model.set_items(catalogue)
        return model

    @classmethod
    def restore(cls, config: ModelConfig, catalogue: Catalogue, tensors: dict[str, Tensor]) -> Self:
        """See :meth:`Model.restore`."""
        model = cls(config)
        model.load_state_dict(tensors)
        model.set_items(catalogue)
        return model

    def fit(self, fitting: Fitting) -> Any:
        """Learn."""
        return fitting.learn(self)


class CountingModel(Model):
    """A model that counts and learns no weights; what it counted are its buffers."""

    ranks_new_items = True

    @classmethod
    def on_new_items(cls, config: ModelConfig) -> str:
        """See :meth:`Model.on_new_items`."""
        return "they have counts of 0 and rank last"

    @abstractmethod
    def count(self, sequences: Sequences) -> None:
        """Count in the training part of all histories."""

    @property
    @abstractmethod
    def counted(self) -> dict[str, Any]:
        """What was counted and how much, as JSON values for the facts of the run."""

    @classmethod
    def build(cls, config: ModelConfig, catalogue: Catalogue) -> Self:
        """See :meth:`Model.build`."""
        return cls(config)

    def fit(self, fitting: Fitting) -> Any:
        """Count."""
        return fitting.count(self)


def training_items(sequences: Sequences) -> tuple[Tensor, Tensor]:
    """The items of the training parts (T,), int64, user after user, and the user of each (T,)."""
    items = torch.from_numpy(sequences.items.astype("int64"))
    offsets, train_end = torch.from_numpy(sequences.offsets), torch.from_numpy(sequences.train_end)
    lengths = offsets.diff()
    user = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    place = torch.arange(len(items)) - offsets[user]
    inside = place < train_end[user]
    return items[inside], user[inside]
