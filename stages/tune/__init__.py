"""The search for good options: trials of quantization and training, judged on validation alone (Optuna)."""

from stages.tune.stage import check_codes, tune

__all__ = ["check_codes", "tune"]
