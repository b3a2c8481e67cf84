"""Stage quantize: vectors to semantic codes, by product or residual quantization."""

from stages.quantize.stage import quantize

__all__ = ["quantize"]
