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


def note_end(path: Path, attempt: str, cpu_seconds: float) -> None:
    """Add the CPU seconds that an attempt took in all, if any epoch is told of."""
    if path.exists():
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"attempt": attempt, "epoch": None, "cpu_seconds": cpu_seconds}) + "\n")


def cpu_seconds_to(path: Path, epoch: int) -> float | None:
    """CPU seconds of a run up to the end of an epoch, the start of the process included; ``None`` where none is told.

    Of a run that was interrupted, all that the earlier attempts took is added. What an attempt took that was killed
    together with the runner is counted up to the last epoch that it told of.
    """
    attempts: dict[str, list[tuple[int | None, float]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        entry = json.loads(line)
        attempts.setdefault(entry["attempt"], []).append((entry["epoch"], entry["cpu_seconds"]))
    spent, found = 0.0, None
    for told in attempts.values():
        numbers = [number for number, _ in told if number is not None]
        if numbers[:1] == [1]:  # a training of its own: what stands before was given up
            spent, found = 0.0, None
        if found is None and numbers and min(numbers) > epoch:
            found = spent  # stopped between the end of the epoch and the line that tells of it
        found = next((spent + seconds for number, seconds in told if number == epoch), found)
        spent += max(seconds for _, seconds in told)
    return found or None
