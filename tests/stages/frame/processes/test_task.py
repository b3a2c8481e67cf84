"""A task comes out of its text as it went in."""

from dataclasses import replace
from pathlib import Path

from shared_work import WorkOptions

from stages.frame.processes.task import Task
from stages.train.options import TrainOptions


def test_a_task_is_its_text():
    for stage, options in (
        ("stages.train:train", TrainOptions(dim=32, init_from=Path("é/a b"), resume=False, processes=2)),
        ("shared_work:work", WorkOptions(folder=Path("f"), names=("a", "b"))),
    ):
        task = Task(stage, options, Path("w"), True, 2)
        assert Task.from_text(task.to_text()) == task
        task = replace(task, handed={"readers": "a.b", "job": None}, prints=True)
        assert Task.from_text(task.to_text()) == task
