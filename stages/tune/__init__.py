"""The search for good options: trials of quantization and training, judged on validation alone (Optuna)."""

from typing import TYPE_CHECKING

from stages.frame.lazy import lazy_names
from stages.tune.options import TuneOptions
from stages.tune.space import SearchedStage

if TYPE_CHECKING:
    from stages.tune.search import check_codes
    from stages.tune.stage import tune

__all__ = ["SearchedStage", "TuneOptions", "check_codes", "tune"]
__getattr__ = lazy_names(__name__, {"check_codes": "stages.tune.search", "tune": "stages.tune.stage"})
