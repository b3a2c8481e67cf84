"""Downloads of published data sets."""

from typing import TYPE_CHECKING

from stages.download.options import DownloadOptions
from stages.frame.lazy import lazy_names

if TYPE_CHECKING:
    from stages.download.stage import download

__all__ = ["DownloadOptions", "download"]
__getattr__ = lazy_names(__name__, {"download": "stages.download.stage"})
