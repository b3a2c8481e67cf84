"""A program, ``python -m stages.frame.processes.worker TASK``: one of the processes that share the work of a stage.

Stdout is the pipe to whoever launched. What the first one reports goes there, and its result; the others are silent.
"""

import os
import sys
import traceback

from stages.artifacts.errors import CocorecError
from stages.frame.processes.parent import die_with_parent
from stages.frame.processes.place import LAUNCHED, own_place
from stages.frame.processes.relay import Channel, Printed, Relay
from stages.frame.processes.task import Task
from stages.frame.reporter import Reporter
from stages.frame.result import Result


def main(text: str) -> int:
    """Do this process' part of a task, tell what came of it, and return the exit code."""
    die_with_parent(int(os.environ[LAUNCHED]))
    place = own_place()
    assert place is not None
    channel = Channel(os.dup(1), place.rank)
    os.dup2(2, 1)  # libraries that print must not mix with the events
    try:
        task = Task.from_text(text)
        more = {"stdout": Printed(channel)} if task.prints and place.first else {}
        result = task.run(Relay(channel) if place.first else Reporter(), **more)
    except CocorecError as error:
        channel.send(error=type(error).__name__, message=error.message, hint=error.hint)
        return error.exit_code
    except Exception as error:
        channel.send(bug=type(error).__name__, message=str(error), trace=traceback.format_exc())
        return 1
    if place.first:
        channel.send(result=_plain(result))
    return 0


def _plain(result: Result) -> dict[str, object]:
    return {**vars(result), "outputs": {name: str(path) for name, path in result.outputs.items()}}


if __name__ == "__main__":
    code = main(sys.argv[1])
    sys.stderr.flush()
    # Without torch's clean-up, which may wait for processes that are gone.
    os._exit(code)
