"""The model ``cocorec``: semantic codes that read the texts, fused, then a backbone.

Reference: Liu et al., Bridging textual-collaborative gap through semantic codes for sequential recommendation, KDD
2025.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from stages.artifacts.names import CODES, EMBEDDINGS
from stages.model import ranges
from stages.model.coded import CodedRecommender


class CoCoRec(CodedRecommender):
    """Item vectors from codes and texts, see :class:`stages.model.fusion.CodeFusion`."""

    reads = (EMBEDDINGS, CODES)
    takes_ids = True
    ranks_new_items = True
    searched: ClassVar[Mapping[str, Any]] = {**ranges.BACKBONE, **ranges.ENCODER, **ranges.CODES}
