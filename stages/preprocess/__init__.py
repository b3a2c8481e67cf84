"""Stage preprocess: an interaction log and item metadata become ``items.parquet`` and ``sequences.parquet``."""

from typing import TYPE_CHECKING

from stages.frame.lazy import lazy_names
from stages.preprocess.options import PreprocessOptions

if TYPE_CHECKING:
    from stages.preprocess.inputs import read_id_column, read_ids_where, read_named_histories
    from stages.preprocess.proposal import propose
    from stages.preprocess.stage import preprocess

__all__ = ["PreprocessOptions", "preprocess", "propose", "read_id_column", "read_ids_where", "read_named_histories"]
__getattr__ = lazy_names(
    __name__,
    {
        "preprocess": "stages.preprocess.stage",
        "propose": "stages.preprocess.proposal",
        "read_id_column": "stages.preprocess.inputs",
        "read_ids_where": "stages.preprocess.inputs",
        "read_named_histories": "stages.preprocess.inputs",
    },
)
