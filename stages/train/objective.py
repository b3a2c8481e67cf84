"""The loss of a batch: L_rec + a L_mcm + b L_msa."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from stages.model.fusion import CodeFusion
from stages.model.losses import masked_code_modelling, masked_sequence_alignment, recommendation
from stages.model.recommender import Recommender
from stages.model.repeats import seen_items
from stages.train.masking import CodeMasking
from stages.train.pieces import in_pieces
from stages.train.windows import Batch


@dataclass(frozen=True)
class Objective:
    """What is minimised.

    Attributes:
        temperature: of all three softmaxes.
        mcm_weight: a, weight of masked code modelling.
        msa_weight: b, weight of masked sequence alignment.
        negatives: items drawn per step to stand for the catalogue; 0 ranks against all of it.
        masking: how codes are masked.
        mcm_within_position: see :func:`masked_code_modelling`.
        msa_same_target: rows with the same next item are negatives of each other.
    """

    temperature: float = 0.07
    mcm_weight: float = 0.4
    msa_weight: float = 0.4
    negatives: int = 0
    masking: CodeMasking = field(default_factory=CodeMasking)
    mcm_within_position: bool = True
    msa_same_target: bool = False

    def __call__(self, model: Recommender, batch: Batch) -> dict[str, Tensor]:
        """The losses of a batch by name; ``loss`` is their weighted sum."""
        items, candidates, goals = self._items_needed(model, batch)
        history, candidate = in_pieces(model.config, model.encode, items)
        rows = torch.searchsorted(items, batch.items)
        outputs = model.backbone(history.index_select(0, rows), batch.layout).index_select(0, batch.counted)
        if candidates is not None:
            candidate = candidate.index_select(0, candidates)
        shift_at, shifts = self._repeats(model, batch, items, candidates)
        losses = {
            "rec": recommendation(
                outputs.float(), candidate.float(), goals, self.temperature, shift_at=shift_at, shifts=shifts
            )
        }
        total = losses["rec"]
        if isinstance(model.encoder, CodeFusion) and (self.mcm_weight or self.msa_weight):
            masked = self._masked_pass(model, model.encoder, batch, outputs)
            for name, weight in (("mcm", self.mcm_weight), ("msa", self.msa_weight)):
                if weight:
                    losses[name] = masked[name]
                    total = total + weight * masked[name]
        losses["loss"] = total
        return losses

    def _items_needed(self, model: Recommender, batch: Batch) -> tuple[Tensor, Tensor | None, Tensor]:
        """Sorted items to encode, rows of them that are candidates (``None`` for all), each target's candidate."""
        n, device = model.config.items, batch.items.device
        if not self.negatives or self.negatives >= n:
            return torch.arange(1, n + 1, device=device), None, batch.targets - 1
        drawn = torch.randint(1, n + 1, (self.negatives,), device=device)
        candidates = torch.unique(torch.cat([drawn, batch.targets]), sorted=True)
        items = torch.unique(torch.cat([candidates, batch.items]), sorted=True)
        return items, torch.searchsorted(items, candidates), torch.searchsorted(candidates, batch.targets)

    def _repeats(
        self, model: Recommender, batch: Batch, items: Tensor, candidates: Tensor | None
    ) -> tuple[tuple[Tensor, Tensor] | None, Tensor | None]:
        """Where candidates are items of the history, and what their similarity is shifted by."""
        if model.repeats is None:
            return None, None
        seen = seen_items(batch.items, batch.layout, batch.counted)
        if candidates is None:
            return (seen.rows, seen.items - 1), model.repeats(seen)
        drawn = items[candidates]
        column = torch.searchsorted(drawn, seen.items).clamp_(max=len(drawn) - 1)
        among = (drawn[column] == seen.items).nonzero().squeeze(1)
        return (seen.rows[among], column[among]), model.repeats(seen).index_select(0, among)

    def _masked_pass(self, model: Recommender, fusion: CodeFusion, batch: Batch, outputs: Tensor) -> dict[str, Tensor]:
        rows = fusion.rows[batch.items]
        masked_rows, chosen = self.masking(rows, fusion.codebook_size)
        codes, history = in_pieces(model.config, model.encode_masked, batch.items, masked_rows)
        losses = {}
        if self.mcm_weight:
            losses["mcm"] = masked_code_modelling(
                codes.float(),
                fusion.table,
                rows,
                chosen,
                self.temperature,
                within_position=self.mcm_within_position,
            )
        if self.msa_weight:
            masked_outputs = model.backbone(history, batch.layout).index_select(0, batch.counted)
            # Neighbouring positions of one history are nearly the same sequence, never negatives of each other.
            groups = [batch.layout.rows[batch.counted]] + ([] if self.msa_same_target else [batch.targets])
            losses["msa"] = masked_sequence_alignment(
                outputs.float(), masked_outputs.float(), self.temperature, groups=torch.stack(groups, 1)
            )
        return losses
