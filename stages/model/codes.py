"""The model ``codes``: semantic codes alone, without the texts that they were made from."""

from collections.abc import Mapping
from typing import Any, ClassVar

from stages.artifacts.names import CODES
from stages.model import ranges
from stages.model.coded import CodedRecommender


class CodesModel(CodedRecommender):
    """Item vectors from codes that attend to each other and to nothing else."""

    reads = (CODES,)
    takes_ids = True
    ranks_new_items = True
    searched: ClassVar[Mapping[str, Any]] = {**ranges.BACKBONE, **ranges.ENCODER, **ranges.CODES}
