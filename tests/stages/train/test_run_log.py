import sys

import pytest

from stages.artifacts.errors import DataError, UsageError
from stages.train import TrainOptions, train
from stages.train.run_log import RunLog, tag


class Kept:
    """A writer that remembers, and has some epochs already."""

    def __init__(self, *there: int) -> None:
        self.there, self.rows, self.closed = there, [], None

    def logged(self):
        return self.there

    def write(self, epoch, values):
        self.rows.append((epoch, values))

    def close(self, status, best):
        self.closed = status, best


def row(epoch, ndcg):
    return {"epoch": epoch, "step": 7 * epoch, "learning_rate": 0.5, "loss": 2.0, "ndcg@10": ndcg, "mrr": None}


def test_names_are_grouped() -> None:
    assert [tag(name) for name in ("loss", "rec", "ndcg@10", "mrr", "learning_rate")] == [
        "training/loss",
        "training/rec",
        "validation/ndcg@10",
        "validation/mrr",
        "learning_rate",
    ]


def test_a_run_that_goes_on_logs_what_its_log_lacks() -> None:
    kept = Kept(1, 3)
    log = RunLog(kept)
    log.catch_up([row(1, 0.1), row(2, 0.3), row(3, 0.2)])
    log.epoch(row(4, 0.25), 0.5)
    log.close("FINISHED")
    values = {"learning_rate": 0.5, "training/loss": 2.0}
    assert kept.rows == [
        (2, {**values, "validation/ndcg@10": 0.3}),
        (4, {**values, "validation/ndcg@10": 0.25, "epochs_per_second": 2.0}),
    ]
    assert kept.closed == ("FINISHED", {"validation/ndcg@10": 0.3})


def test_without_a_writer_nothing_is_kept() -> None:
    log = RunLog()
    log.catch_up([row(1, 0.1)])
    log.epoch(row(2, 0.1), 0.0)
    log.close("FINISHED")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"log": "wandb"}, r"--log 'wandb' is unknown\nChoose one of tensorboard, mlflow"),
        ({"log_to": "x"}, r"--log-to says where nothing goes\nAdd --log tensorboard or --log mlflow"),
        ({"log_name": "x"}, "--log-name says where nothing goes"),
        ({"log": "tensorboard", "log_name": "../x"}, r"--log-name '\.\./x' is no name of a folder"),
    ],
)
def test_options_that_do_not_fit(options, expected) -> None:
    with pytest.raises(UsageError, match=expected):
        TrainOptions(**options)


@pytest.mark.parametrize(
    ("log", "package", "module"),
    [("tensorboard", "tensorboard", "torch.utils.tensorboard"), ("mlflow", "mlflow-skinny", "mlflow")],
)
def test_a_package_that_is_missing_is_named(structured, small, monkeypatch, log, package, module) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=rf"--log {log} needs the package {package}.*\n.*cocorec\[{log}\]"):
        train(TrainOptions(log=log, model="popularity", device="cpu"), workdir=structured)


def test_a_place_that_cannot_be_written_is_named(structured, small, tmp_path) -> None:
    (tmp_path / "file").touch()
    options = TrainOptions(log="tensorboard", log_to=str(tmp_path / "file"), model="popularity", device="cpu")
    with pytest.raises(DataError, match=r"cannot write .*/file/popularity-.*: Not a directory\nChoose another folder"):
        train(options, workdir=structured)
