"""The log of a run for MLflow, written by its client: to a server, or to a database in the work directory."""

import logging
import os
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from stages.artifacts.errors import DataError
from stages.frame.reporter import Reporter
from stages.train.run_log import Shown, missing

EXPERIMENT = "cocorec"
KEY = "cocorec.key"
"""Tag of a run, by which one that goes on finds its log."""

_LONGEST = 6000
"""Characters of a parameter that MLflow takes."""

_MOST_PARAMETERS = 100


class MlflowWriter:
    """A run of the experiment :data:`EXPERIMENT`.

    A run that goes on goes on in MLflow, too. What a server does not take is told and sent again with the next epoch,
    so that a broken connection costs no training.

    Args:
        shown: the run.
        reporter: is told where the log is, and what could not be sent.

    Raises:
        UsageError: when MLflow is not installed.
        DataError: when nothing can be logged there.
    """

    def __init__(self, shown: Shown, reporter: Reporter) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when it is imported; it would ask the network
        try:
            from mlflow import MlflowClient
            from mlflow.exceptions import MlflowException
        except ImportError as error:
            raise missing("mlflow-skinny", "mlflow", error) from error
        logging.getLogger("mlflow.store").setLevel(logging.WARNING)  # tells of each table that it makes
        logging.getLogger("alembic").setLevel(logging.WARNING)
        self._error, self._reporter = MlflowException, reporter
        self._where = shown.place
        self._pending: list[tuple[int, Mapping[str, float]]] = []
        with self._told():
            self._client: Any = MlflowClient(self._where)
            self._run = self._continued(shown) or self._begun(shown)
        reporter.info(f"curves: experiment {EXPERIMENT} of MLflow at {self._where}")

    def logged(self) -> Collection[int]:
        """Epochs that the run has."""
        with self._told():
            names = [name for name in self._client.get_run(self._run).data.metrics if name.startswith("validation/")]
            return {metric.step for name in names for metric in self._client.get_metric_history(self._run, name)}

    def write(self, epoch: int, values: Mapping[str, float]) -> None:
        """Send numbers of an epoch, and those that could not be sent before."""
        self._pending.append((epoch, values))
        try:
            self._send()
        except self._error as error:
            self._reporter.warn(f"MLflow at {self._where} did not take epoch {epoch} and gets it later: {_said(error)}")

    def close(self, status: str, best: Mapping[str, float]) -> None:
        """End the run."""
        try:
            self._send()
            self._client.set_terminated(self._run, status)
        except self._error as error:
            lost = ", ".join(str(epoch) for epoch, _ in self._pending) or "none"
            self._reporter.warn(f"MLflow at {self._where}: {_said(error)}; epochs that it lacks: {lost}")

    def _send(self) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        while self._pending:
            epoch, values = self._pending[0]
            self._client.log_batch(
                self._run, [Metric(metric_name(name), value, now, epoch) for name, value in values.items()]
            )
            self._pending.pop(0)

    def _continued(self, shown: Shown) -> str | None:
        """The run in MLflow of an interrupted run that goes on; ``None`` where there is none."""
        experiment = self._client.get_experiment_by_name(EXPERIMENT)
        if not shown.resumed or experiment is None:
            return None
        found = self._client.search_runs(
            [experiment.experiment_id], f"tags.`{KEY}` = '{shown.key}'", max_results=1, order_by=["start_time DESC"]
        )
        if not found:
            return None
        run: str = found[0].info.run_id
        self._client.update_run(run, status="RUNNING")
        return run

    def _begun(self, shown: Shown) -> str:
        from mlflow.entities import Param

        experiment = self._client.get_experiment_by_name(EXPERIMENT)
        number = experiment.experiment_id if experiment else self._client.create_experiment(EXPERIMENT)
        run: str = self._client.create_run(number, run_name=shown.name, tags={KEY: shown.key}).info.run_id
        parameters = [Param(name, str(value)[:_LONGEST]) for name, value in shown.options.items()]
        for start in range(0, len(parameters), _MOST_PARAMETERS):
            self._client.log_batch(run, params=parameters[start : start + _MOST_PARAMETERS])
        return run

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (self._error, OSError) as error:
            raise DataError(
                f"MLflow at {self._where} cannot be used: {_said(error)}",
                "Check --log-to or MLFLOW_TRACKING_URI, or train without --log.",
            ) from error


def metric_name(name: str) -> str:
    """A name that MLflow takes, which knows no ``@``: ``ndcg@10`` is ``ndcg_at_10``."""
    return name.replace("@", "_at_")


def _said(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
