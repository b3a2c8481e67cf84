"""Stage embed: texts to vectors, with any sentence-transformers model."""

from stages.embed.source import DEFAULT_MODEL
from stages.embed.stage import embed

__all__ = ["DEFAULT_MODEL", "embed"]
