"""Stage serve: recommendations over HTTP (torch, pyarrow; FastAPI and uvicorn of the extra ``serve``)."""

from typing import TYPE_CHECKING

from stages.frame.lazy import lazy_names
from stages.serve.options import ServeOptions

if TYPE_CHECKING:
    from stages.serve.stage import serve

__all__ = ["ServeOptions", "serve"]
__getattr__ = lazy_names(__name__, {"serve": "stages.serve.stage"})
