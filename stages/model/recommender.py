"""The whole model: an item encoder and the backbone."""

import torch
from torch import Tensor, nn

from stages.model.backbone import Backbone, Layout
from stages.model.config import ModelConfig
from stages.model.encoders import ItemTable, TextEncoder
from stages.model.fusion import CodeFusion, Fused
from stages.model.repeats import RepeatBias

_CHUNK_ITEMS = 2048

Encoder = CodeFusion | ItemTable | TextEncoder

_ENCODERS: dict[str, type[CodeFusion] | type[ItemTable] | type[TextEncoder]] = {
    "cocorec": CodeFusion,
    "codes": CodeFusion,
    "sasrec": ItemTable,
    "text": TextEncoder,
}


class Recommender(nn.Module):
    """CoCoRec or a baseline over the same backbone.

    Args:
        config: sizes and kind. The catalogue itself is given with :meth:`set_items`.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = _ENCODERS[config.kind](config)
        self.backbone = Backbone(config)
        self.repeats = RepeatBias(config.max_history) if config.repeat_bias else None
        self.apply(_initialise)

    def set_items(self, codes: Tensor | None, texts: Tensor | None, present: Tensor | None) -> None:
        """Give the catalogue; see :class:`CodeFusion` for the shapes. ``sasrec`` needs none."""
        if isinstance(self.encoder, CodeFusion):
            assert codes is not None
            self.encoder.set_items(codes, texts, present)
        elif isinstance(self.encoder, TextEncoder):
            assert texts is not None
            self.encoder.set_items(texts)

    def encode(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors of items (n,) as part of a history and as candidates, each (n, d)."""
        if isinstance(self.encoder, CodeFusion):
            fused = self.encoder(items)
            return fused.history(), fused.candidate()
        vectors = self.encoder(items)
        return vectors, vectors

    def encode_masked(self, items: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Items (n,) as their masked codes have them: fused codes (n, C, d) and vectors in a history (n, d).

        Args:
            items: (n,) item numbers.
            rows: (n, C) rows of the code table that stand in for the items' own.
        """
        fused: Fused = self.encoder(items, rows)
        return fused.codes, fused.history()

    @torch.inference_mode()
    def item_tables(self) -> tuple[Tensor, Tensor]:
        """History and candidate vectors of the whole catalogue, each (N + 1, d); row 0, no item, is zero.

        They are one tensor where an item has but one vector.
        """
        device, items = self.backbone.position.device, self.config.items
        tables: list[Tensor] = []
        for start in range(1, items + 1, _CHUNK_ITEMS):
            stop = min(start + _CHUNK_ITEMS, items + 1)
            history, candidate = self.encode(torch.arange(start, stop, device=device))
            vectors = [history] if candidate is history else [history, candidate]
            # Filled piece by piece: pieces kept till the end would leave holes in the memory, and be copied.
            tables = tables or [one.new_zeros(items + 1, one.shape[1]) for one in vectors]
            for table, part in zip(tables, vectors, strict=True):
                table[start:stop] = part
        return tables[0], tables[-1]

    @torch.inference_mode()
    def read(self, history_table: Tensor, histories: Tensor, layout: Layout) -> Tensor:
        """Outputs at the last real position of each history (B, d).

        Args:
            history_table: (N + 1, d) from :meth:`item_tables`.
            histories: (R,) packed item numbers.
            layout: where they lie.
        """
        outputs = self.backbone(history_table[histories], layout)
        last = torch.bincount(layout.rows, minlength=layout.batch).cumsum(0) - 1
        return outputs.index_select(0, last)  # type: ignore[no-any-return]


def _initialise(module: nn.Module) -> None:
    # BERT's Normal(0, 0.02), which the authors keep, is meant for widths near 768: at 64 it leaves a few per cent of
    # each attention's output, so that the texts hardly count at first. Xavier fits the scale to the width.
    if isinstance(module, nn.Linear):
        nn.init.xavier_normal_(module.weight)
        nn.init.zeros_(module.bias)
