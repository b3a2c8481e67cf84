"""Downloads of published data sets (standard library only)."""

from stages.download.stage import download

__all__ = ["download"]
