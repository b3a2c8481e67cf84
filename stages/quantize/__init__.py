"""Stage quantize: vectors to semantic codes, by product or residual quantization."""

from typing import TYPE_CHECKING

from stages.frame.lazy import lazy_names
from stages.quantize.options import QuantizeOptions

if TYPE_CHECKING:
    from stages.quantize.stage import quantize

__all__ = ["QuantizeOptions", "quantize"]
__getattr__ = lazy_names(__name__, {"quantize": "stages.quantize.stage"})
