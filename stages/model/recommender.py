"""What all learned models share: an item encoder, a backbone, L_rec and scores by cosine."""

from collections.abc import Collection
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.artifacts.names import EMBEDDINGS
from stages.artifacts.sequences import Sequences
from stages.model.base import LearnedModel, Scorer
from stages.model.batch import Batch
from stages.model.calibration import Calibration
from stages.model.catalogue import Catalogue
from stages.model.chunks import in_chunks
from stages.model.config import ModelConfig
from stages.model.cooccurrence_bias import CooccurrenceBias, with_new_items, with_other_items
from stages.model.cosines import Cosines
from stages.model.layers import ItemEncoder
from stages.model.losses import recommendation
from stages.model.objective import Objective
from stages.model.packing import Packing
from stages.model.registry import backbone_class
from stages.model.repeats import RepeatBias, seen_items
from stages.model.shifts import Shifts

_CHUNK_ITEMS = 2048
_PAIRS = "pairs."
_NEIGHBOURS = ("calibration.nearest", "calibration.cosines")

CALIBRATION = "calibration."
"""What names of tensors begin with that are chosen on validation."""


class Recommender(LearnedModel):
    """An item encoder, a backbone, and the biases by repeats and co-occurrence if wanted. Each model is a subclass.

    Args:
        config: sizes. The catalogue itself is given with :meth:`set_items`.
        encoder: from item numbers (n,) to item vectors (n, d), unless :meth:`encode` says otherwise.
    """

    encoder: Any
    item_rows: ClassVar[str] = "encoder.ids"
    """The weights that have a row for each item (N + 1, d), if the model has any."""

    def __init__(self, config: ModelConfig, encoder: nn.Module) -> None:
        super().__init__(config)
        self.encoder = encoder
        self.backbone = backbone_class(config.backbone)(config)
        self.repeats = RepeatBias(config.max_history) if config.repeat_bias else None
        self.pairs = (
            CooccurrenceBias(config.items, config.max_history, config.cooccurrence_items, config.cooccurrence_partners)
            if config.cooccurrence_bias
            else None
        )
        told = config.cooccurrence_bias or EMBEDDINGS in self.reads
        recent = min(config.cooccurrence_items, config.max_history)
        self.calibration = Calibration(recent) if config.calibrate and told else None
        self.new_item_boost = 0.0
        self.apply(_initialise)

    @classmethod
    def build(cls, config: ModelConfig, catalogue: Catalogue) -> Self:
        """See :meth:`Model.build`."""
        model = super().build(config, catalogue)
        if isinstance(model.encoder, ItemEncoder):
            model.encoder.begin_apart_from_zero()
        return model

    def set_items(self, catalogue: Catalogue) -> None:
        """See :meth:`LearnedModel.set_items`; here only neighbours by text are completed."""
        if self.calibration is not None and len(self.calibration.nearest):
            assert self.texts is not None
            self.calibration.follow(self.texts)

    @property
    def texts(self) -> Tensor | None:
        """(N + 1, M, t) view vectors of the items, zero where missing; ``None`` for models without texts."""
        return self.encoder.texts if EMBEDDINGS in self.reads else None

    @classmethod
    def with_new_items(cls, tensors: dict[str, Tensor], added: int) -> dict[str, Tensor]:
        """See :meth:`Model.with_new_items`: their free vectors, if items have such, are zero, and so are counts."""
        if f"{_PAIRS}starts" in tensors:
            tensors = with_new_items(tensors, _PAIRS, added)
        if cls.item_rows not in tensors:
            return tensors
        return {**tensors, cls.item_rows: F.pad(tensors[cls.item_rows], (0, 0, 0, added))}

    @classmethod
    def knows_items(cls, names: Collection[str]) -> bool:
        """Whether weights of these names tell of single items: free vectors or counts, which go by item numbers."""
        return cls.item_rows in names or f"{_PAIRS}starts" in names

    @classmethod
    def with_other_items(
        cls, tensors: dict[str, Tensor], theirs: Tensor, ours: Tensor, items: int
    ) -> dict[str, Tensor]:
        """The saved tensors for another catalogue; arguments as of the co-occurrence bias' ``with_other_items``."""
        if f"{_PAIRS}starts" in tensors:
            tensors = with_other_items(tensors, _PAIRS, theirs, ours, items)
        # Found again by the texts, beginning with no item.
        tensors = {**tensors, **{name: tensors[name][:1] * 0 for name in _NEIGHBOURS if name in tensors}}
        if cls.item_rows not in tensors:
            return tensors
        before = tensors[cls.item_rows]
        table = before.new_zeros(items + 1, before.shape[1])
        table[0], table[ours] = before[0], before[theirs]
        return {**tensors, cls.item_rows: table}

    @classmethod
    def on_new_items(cls, config: ModelConfig) -> str:
        """See :meth:`Model.on_new_items`."""
        said = super().on_new_items(config)
        return f"{said}, with free vectors of zero" if config.with_ids else said

    def count(self, sequences: Sequences) -> None:
        """See :meth:`LearnedModel.count`: pairs of items, where there is a bias by co-occurrence."""
        if self.pairs is not None:
            self.pairs.count(sequences)

    def encode(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors of items (n,) as part of a history and as candidates, each (n, d)."""
        vectors = self.encoder(items)
        return vectors, vectors

    @property
    def width(self) -> int:
        """Elements that a layer of the item encoder holds of an item, which decides how many are encoded at a time."""
        return self.config.dim

    @torch.inference_mode()
    def item_tables(self) -> tuple[Tensor, Tensor]:
        """History and candidate vectors of the whole catalogue, each (N + 1, d); row 0, no item, is zero.

        They are one tensor where an item has but one vector.
        """
        device, items = next(self.parameters()).device, self.config.items
        tables: list[Tensor] = []
        own = self.team.own_rows(items, _CHUNK_ITEMS)
        # A process without a share learns from the first items what a vector is.
        for start in range(own.start + 1, own.stop + 1, _CHUNK_ITEMS) or [1]:
            stop = min(start + _CHUNK_ITEMS, items + 1)
            history, candidate = self.encode(torch.arange(start, stop, device=device))
            vectors = [history] if candidate is history else [history, candidate]
            # Filled chunk by chunk: chunks kept till the end would leave holes in the memory, and be copied.
            tables = tables or [one.new_zeros(items + 1, one.shape[1]) for one in vectors]
            for table, part in zip(tables, vectors, strict=True):
                table[start:stop] = part
        for table in tables:
            self.team.fill(table[1:], _CHUNK_ITEMS)
        return tables[0], tables[-1]

    @torch.inference_mode()
    def read(self, history_table: Tensor, histories: Tensor, packing: Packing) -> Tensor:
        """Outputs at the last real position of each history (B, d).

        Args:
            history_table: (N + 1, d) from :meth:`item_tables`.
            histories: (R,) packed item numbers.
            packing: where they lie.
        """
        outputs: Tensor = self.backbone(history_table[histories], packing)
        return outputs.index_select(0, packing.last)

    def losses(self, batch: Batch, objective: Objective) -> dict[str, Tensor]:
        """See :meth:`LearnedModel.losses`: each item that the batch needs is encoded once, then L_rec."""
        items, candidates, goals = _items_needed(batch, self.config.items, objective.negatives, self.team.generator)
        as_new = self._as_new(batch.items.device)
        self.encoder.as_new = as_new
        own = self.team.own_items(items)
        encoded = in_chunks(self.encode, own, width=self.width, layers=self.config.fusion_layers)
        history, candidate = self.team.all_items(encoded, len(items))
        rows = torch.searchsorted(items, batch.items)
        outputs = self.backbone(history.index_select(0, rows), batch.packing).index_select(0, batch.counted)
        if candidates is not None:
            candidate = candidate.index_select(0, candidates)
        ranked = items if candidates is None else items[candidates]
        shift_at, shifts = self._batch_shifts(batch, ranked, as_new)
        rec = recommendation(
            outputs.float(),
            candidate.float(),
            goals,
            objective.temperature,
            shift_at=shift_at,
            shifts=shifts,
            column_shifts=None if as_new is None or self.pairs is None else as_new[ranked] * self.pairs.unknown,
            count=len(batch.step.targets),
        )
        return self.weigh({"rec": rec}, batch, outputs, objective)

    def weigh(
        self, losses: dict[str, Tensor], batch: Batch, outputs: Tensor, objective: Objective
    ) -> dict[str, Tensor]:
        """Add further losses of the model and ``loss``, the weighted sum of all.

        Args:
            losses: ``rec``.
            batch: what was read.
            outputs: (R', d) u, the backbone's outputs at the counted positions.
            objective: the options of the losses.
        """
        return {**losses, "loss": losses["rec"]}

    def _as_new(self, device: torch.device) -> Tensor | None:
        """Which items this step treats as if they came later, (N + 1,) bool; ``None`` for none."""
        rate = self.config.new_item_rate if self.ranks_new_items else 0.0
        if not rate:
            return None
        return torch.rand(self.config.items + 1, device=device, generator=self.team.generator) < rate

    def _batch_shifts(
        self, batch: Batch, candidates: Tensor, as_new: Tensor | None
    ) -> tuple[tuple[Tensor, Tensor] | None, Tensor | None]:
        """Where the similarities of a batch are shifted, and by what."""
        found = self.shifts(batch.items, batch.packing, batch.counted, _following(batch), as_new)
        return (None, None) if found is None else found.among(candidates)

    def shifts(
        self,
        histories: Tensor,
        packing: Packing,
        queries: Tensor,
        following: Tensor | None = None,
        as_new: Tensor | None = None,
    ) -> Shifts | None:
        """What is added to the similarities of queries; arguments as of :class:`CooccurrenceBias`."""
        parts = []
        calibrated = None if following is not None else self.calibration
        if self.repeats is not None or calibrated is not None:
            seen = seen_items(histories, packing, queries)
        if self.repeats is not None:
            parts.append(Shifts(seen.rows, seen.items, self.repeats(seen)))
        if self.pairs is not None:
            found = self.pairs(histories, packing, queries, following)
            if calibrated is not None:
                found = found.times(calibrated.pair_factor)
            parts.append(found if as_new is None else found.without(as_new))
        if calibrated is not None and (found := calibrated(histories, packing, queries, seen)) is not None:
            parts.append(found)
        return Shifts.merged(parts, len(queries)) if parts else None

    def by_pair(self) -> tuple[Tensor, Tensor]:
        """All that one of a history's last items adds to another item, when the model is used.

        Returns:
            Keys i (N + 1) + j (F,), ascending, of the item i and the other one j; what it adds (F, R), by the age of i.
        """
        width, keys, values = self.config.items + 1, [], []
        if self.pairs is not None:
            keys.append(self.pairs.keys)
            values.append(self.pairs.by_pair())
            if self.calibration is not None:
                values[0] = values[0] * self.calibration.pair_factor
        if self.calibration is not None and len(self.calibration.nearest):
            nearest = self.calibration.nearest.long()
            there = nearest > 0
            keys.append((torch.arange(width, device=nearest.device)[:, None] * width + nearest)[there])
            values.append(self.calibration.values()[there])
        if not keys:
            nobody = torch.zeros(0, dtype=torch.int64)
            return nobody, torch.zeros(0, 0)
        distinct, place = torch.unique(torch.cat(keys), sorted=True, return_inverse=True)
        summed = torch.zeros(len(distinct), values[0].shape[1], device=distinct.device)
        return distinct, summed.index_add_(0, place, torch.cat(values))

    def scorer(self) -> Scorer:
        """See :meth:`Model.scorer`: cosines, shifted by the biases."""
        return Cosines(self)

    @property
    def knows_repeats(self) -> bool:
        """See :attr:`Model.knows_repeats`: it does where it has a repeat bias."""
        return self.repeats is not None

    @property
    def older_bias(self) -> Tensor | None:
        """See :attr:`Model.older_bias`: as for the oldest item that is read."""
        return None if self.repeats is None else self.repeats.older.float()

    @property
    def never_seen(self) -> Tensor | None:
        """(N + 1,) bool, items that did not occur in training; ``None`` without the bias that counts."""
        return None if self.pairs is None else self.pairs.occurrences == 0

    @property
    def worth_of_new_items(self) -> Tensor:
        """What is added () to the scores of items that did not occur in training."""
        assert self.pairs is not None
        return self.pairs.unknown if self.calibration is None else self.pairs.unknown * self.calibration.pair_factor

    def boost_new_items(self, boost: float) -> None:
        """See :meth:`Model.boost_new_items`: the co-occurrence bias knows which items never occurred."""
        if self.pairs is None:
            super().boost_new_items(boost)
        self.new_item_boost = boost

    def candidate_vectors(self) -> Tensor:
        """See :meth:`Model.candidate_vectors`."""
        return self.item_tables()[1].float()


def _items_needed(
    batch: Batch, n: int, negatives: int, generator: torch.Generator | None
) -> tuple[Tensor, Tensor | None, Tensor]:
    """Sorted items to encode, rows of them that are candidates (``None`` for all), each target's candidate.

    Items and candidates are those of the whole step, whoever shares it.
    """
    device, known, step = batch.items.device, batch.candidates, batch.step
    if not negatives or negatives >= (n if known is None else len(known)):
        everything = torch.arange(1, n + 1, device=device) if known is None else known
        return everything, None, torch.searchsorted(everything, batch.targets)
    if known is None:
        drawn = torch.randint(1, n + 1, (negatives,), device=device, generator=generator)
    else:
        drawn = known[torch.randint(len(known), (negatives,), device=device, generator=generator)]
    candidates = torch.unique(torch.cat([drawn, step.targets]), sorted=True)
    items = torch.unique(torch.cat([candidates, step.items]), sorted=True)
    return items, torch.searchsorted(items, candidates), torch.searchsorted(candidates, batch.targets)


def _following(batch: Batch) -> Tensor:
    """(B,) the item after each history; its last position has a target always, if the batch has any."""
    if not len(batch.targets):
        return batch.items.new_zeros(batch.packing.batch)
    return batch.targets[torch.searchsorted(batch.counted, batch.packing.last)]


def _initialise(module: nn.Module) -> None:
    # BERT's Normal(0, 0.02), which the authors keep, is meant for widths near 768: at 64 it leaves a few per cent of
    # each attention's output, so that the texts hardly count at first. Xavier fits the scale to the width.
    if isinstance(module, nn.Linear):
        nn.init.xavier_normal_(module.weight)
        nn.init.zeros_(module.bias)
