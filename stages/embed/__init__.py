"""Stage embed: texts to vectors, with any sentence-transformers model."""

from typing import TYPE_CHECKING

from stages.embed.options import DEFAULT_MODEL, EmbedOptions
from stages.frame.lazy import lazy_names

if TYPE_CHECKING:
    from stages.embed.stage import embed

__all__ = ["DEFAULT_MODEL", "EmbedOptions", "embed"]
__getattr__ = lazy_names(__name__, {"embed": "stages.embed.stage"})
