"""What each epoch of a run cost: ``epochs.jsonl`` in its folder, written while ``train`` tells of its epochs."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import psutil

EPOCHS = "epochs.jsonl"

_TOLD = re.compile(r"epoch ([0-9]+): .*validation ndcg@10 ")


def watching(path: Path, attempt: str) -> Callable[[str, int], None]:
    """What is called with each line on the standard error of ``train`` and its process id.

    At the end of an epoch the CPU seconds that the process has taken so far are added to the file.

    Args:
        path: the file.
        attempt: tells the processes of a run that was interrupted apart.
    """

    def watch(line: str, pid: int) -> None:
        if found := _TOLD.match(line):
            spent = psutil.Process(pid).cpu_times()
            entry = {"attempt": attempt, "epoch": int(found[1]), "cpu_seconds": round(spent.user + spent.system, 2)}
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")

    return watch


def cpu_seconds_to(path: Path, epoch: int) -> float | None:
    """CPU seconds of a run up to the end of an epoch, its start included; ``None`` where an epoch was not seen.

    Of a run that was interrupted and went on, the time of each epoch is that of the attempt that finished it last.
    """
    cost: dict[int, float] = {}
    before: dict[str, float] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        entry = json.loads(line)
        cost[entry["epoch"]] = entry["cpu_seconds"] - before.get(entry["attempt"], 0.0)
        before[entry["attempt"]] = entry["cpu_seconds"]
    wanted = range(1, epoch + 1)
    return sum(cost[number] for number in wanted) if all(number in cost for number in wanted) else None
