"""What models with semantic codes share: the fusion encoder and the masked pass with its two losses."""

from typing import ClassVar

import torch
from torch import Tensor

from stages.model.batch import Batch
from stages.model.catalogue import Catalogue
from stages.model.chunks import in_chunks
from stages.model.config import ModelConfig
from stages.model.fusion import CodeFusion, Fused
from stages.model.losses import masked_code_modelling, masked_sequence_alignment
from stages.model.objective import Objective
from stages.model.recommender import Recommender


class CodedRecommender(Recommender):
    """A recommender whose items are codes: beside L_rec it learns from masked histories, L_mcm and L_msa.

    Args:
        config: sizes; C codes, and texts where ``text_dim`` is above 0.
    """

    encoder: CodeFusion
    loss_names: ClassVar[tuple[str, ...]] = ("loss", "rec", "mcm", "msa")

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config, CodeFusion(config))

    def set_items(self, catalogue: Catalogue) -> None:
        """See :meth:`LearnedModel.set_items`."""
        assert catalogue.codes is not None
        self.encoder.set_items(catalogue.codes, catalogue.texts, catalogue.present)
        super().set_items(catalogue)

    @property
    def width(self) -> int:
        """See :attr:`Recommender.width`: a vector for each code."""
        return self.config.codes * self.config.dim

    def encode(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """See :meth:`Recommender.encode`: h and v."""
        fused: Fused = self.encoder(items)
        return fused.history(), fused.candidate()

    def encode_masked(self, items: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Items (n,) as their masked codes have them: fused codes (n, C, d) and vectors in a history (n, d).

        Args:
            items: (n,) item numbers.
            rows: (n, C) rows of the code table that stand in for the items' own.
        """
        fused: Fused = self.encoder(items, rows)
        return fused.codes, fused.history()

    def weigh(
        self, losses: dict[str, Tensor], batch: Batch, outputs: Tensor, objective: Objective
    ) -> dict[str, Tensor]:
        """See :meth:`Recommender.weigh`: L_rec + a L_mcm + b L_msa; a loss of weight 0 is not computed."""
        weights = {"mcm": objective.mcm_weight, "msa": objective.msa_weight}
        total = losses["rec"]
        masked = self._masked_losses(batch, outputs, objective) if any(weights.values()) else {}
        for name, loss in masked.items():
            total = total + weights[name] * loss
        return {**losses, **masked, "loss": total}

    def _masked_losses(self, batch: Batch, outputs: Tensor, objective: Objective) -> dict[str, Tensor]:
        rows = self.encoder.rows[batch.items]
        masked_rows, chosen, count = self._mask(batch, rows, objective)
        codes, history = in_chunks(
            self.encode_masked, batch.items, masked_rows, width=self.width, layers=self.config.fusion_layers
        )
        losses = {}
        if objective.mcm_weight:
            losses["mcm"] = masked_code_modelling(
                codes.float(),
                self.encoder.table,
                rows,
                chosen,
                objective.temperature,
                mcm_softmax=objective.mcm_softmax,
                count=count,
            )
        if objective.msa_weight:
            masked_outputs = self.backbone(history, batch.packing).index_select(0, batch.counted)
            # Neighbouring positions of one history are nearly the same sequence, never negatives of each other.
            step = batch.step
            groups = [step.packing.rows[step.counted]] + ([] if objective.msa_same_target else [step.targets])
            users, masked_users, own = self._of_all(batch, outputs.float(), masked_outputs.float())
            losses["msa"] = masked_sequence_alignment(
                users, masked_users, objective.temperature, groups=torch.stack(groups, 1), own=own
            )
        return losses

    def _mask(self, batch: Batch, rows: Tensor, objective: Objective) -> tuple[Tensor, Tensor, Tensor | None]:
        """Masked rows, which codes were chosen, and how many in the whole step, where others share it."""
        size, part = self.encoder.codebook_size, batch.part
        if part is None:
            return *objective.masking(rows, size), None
        step_rows = self.encoder.rows[part.step.items]
        masked, chosen = objective.masking(step_rows, size, self.team.generator)
        own = chosen[part.positions]
        if not len(batch.targets):  # another process' history, which counts there
            own = torch.zeros_like(own)
        return masked[part.positions], own, chosen.sum().clamp(min=1)

    def _of_all(self, batch: Batch, users: Tensor, masked_users: Tensor) -> tuple[Tensor, Tensor, slice | None]:
        """The outputs u and u~ of the whole step, and which of them are of this batch."""
        part = batch.part
        if part is None:
            return users, masked_users, None
        whole = self.team.joined(torch.cat([users, masked_users], 1), part.targets)
        own = slice(part.first, part.first + len(users))
        return whole[:, : users.shape[1]], whole[:, users.shape[1] :], own
