"""A program, ``python -m stages.frame.processes.launcher TASK PARENT``: starts the processes with torch's engine.

It is the elastic agent of torchrun, called as a library. Stdout is the pipe to whoever launched; a process that ends
otherwise than it should is told there, and the engine ends the others.
"""

import os
import sys
import uuid

from stages.frame.processes.parent import die_with_parent
from stages.frame.processes.place import LAUNCHED
from stages.frame.processes.relay import Channel
from stages.frame.processes.task import Task

WORKER = "stages.frame.processes.worker"

_LOOK = 0.1
"""Seconds between two looks at the processes."""


def main(text: str, parent: int) -> int:
    """Start the processes of a task, wait for them, and return the exit code."""
    die_with_parent(parent)
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    os.environ[LAUNCHED] = str(os.getpid())
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=Task.from_text(text).count,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        local_addr="127.0.0.1",
        max_restarts=0,
        monitor_interval=_LOOK,
        logs_specs=DefaultLogsSpecs(log_dir=os.devnull),
    )
    try:
        elastic_launch(config, sys.executable)("-P", "-m", WORKER, text)
    except ChildFailedError as error:
        Channel(1).send(ended={str(rank): failure.exitcode for rank, failure in error.failures.items()})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
