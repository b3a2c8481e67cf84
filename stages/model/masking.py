"""Code masking, as BERT masks words: what the masked pass reads in place of an item's codes."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class CodeMasking:
    """How codes are masked.

    Attributes:
        ratio: probability that a code is chosen.
        mask_share: share of the chosen that become [MASK].
        random_share: share of the chosen that become a random code of the same position; the rest stays.
    """

    ratio: float
    mask_share: float = 0.8
    random_share: float = 0.1

    def __call__(
        self, rows: Tensor, codebook_size: int, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Mask rows of the code table, each occurrence of an item anew.

        Args:
            rows: (n, C) rows of the code table; row 0 is [MASK], code k of position j is ``1 + K j + k``.
            codebook_size: K.
            generator: of random numbers; torch's own by default.

        Returns:
            Masked rows (n, C) and which codes were chosen (n, C).
        """
        chosen = torch.rand(rows.shape, device=rows.device, generator=generator) < self.ratio
        draw = torch.rand(rows.shape, device=rows.device, generator=generator)
        first = 1 + codebook_size * torch.arange(rows.shape[1], device=rows.device, dtype=rows.dtype)
        other = first + torch.randint(
            codebook_size, rows.shape, device=rows.device, dtype=rows.dtype, generator=generator
        )
        masked = torch.where(chosen & (draw < self.mask_share + self.random_share), other, rows)
        return masked.masked_fill(chosen & (draw < self.mask_share), 0), chosen
