"""Downloads of published data sets."""

from stages.download.stage import download

__all__ = ["download"]
