"""Where the curves of training go by default; the search has those of its trials put there as well."""

import os
from pathlib import Path

TENSORBOARD, MLFLOW = "tensorboard", "mlflow"
LOGS = (TENSORBOARD, MLFLOW)
"""Ways to keep curves."""

DATABASE = "mlflow.db"


def log_place(log: str, workdir: Path) -> str:
    """A folder of TensorBoard, or a tracking address of MLflow: that of the environment, else a database.

    Args:
        log: one of :data:`LOGS`.
        workdir: the work directory, in which folder and database lie.
    """
    if log == TENSORBOARD:
        return str(workdir / TENSORBOARD)
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{workdir.absolute() / DATABASE}"
