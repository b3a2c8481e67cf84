"""Stage export: what a model knows, in the forms that other systems expect (torch, faiss, pyarrow; onnx if wanted)."""

from typing import TYPE_CHECKING

from stages.export.options import ExportOptions
from stages.frame.lazy import lazy_names

if TYPE_CHECKING:
    from stages.export.index import Index, load_index
    from stages.export.stage import export

__all__ = ["ExportOptions", "Index", "export", "load_index"]
__getattr__ = lazy_names(
    __name__,
    {
        "export": "stages.export.stage",
        "Index": "stages.export.index",
        "load_index": "stages.export.index",
    },
)
