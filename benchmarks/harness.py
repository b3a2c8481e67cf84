"""Runs the sides of a benchmark in turn, each in a process of its own, and prints what they took.

Every side has its own process, so that its peak memory is its own; the sides take turns, so that what else the machine
does slows all of them alike; medians are reported. Beside the time on the clock stands the time of the processors,
which counts only what the side itself computed: on a busy machine it is the one to compare.
"""

import argparse
import datetime
import json
import multiprocessing
import os
import platform
import resource
import statistics
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from cocorec_cli.console import say
from cocorec_cli.report import print_json, print_table

_RELATIONS = {
    "units_per_second": "times_the_last_row",
    "units_per_cpu_second": "times_the_last_row_by_cpu",
}

Prepared = Callable[[], float | tuple[float, dict[str, Any]]]
"""Does one run of a side and returns how many units it did, with facts about the run if there are any."""


@dataclass(frozen=True)
class Side:
    """One way to do the work.

    Attributes:
        name: what the table calls it.
        prepare: makes all that is not to be timed and returns what is; a function of a module, called in the side's
            own process.
        arguments: for ``prepare``.
    """

    name: str
    prepare: Callable[..., Prepared]
    arguments: Mapping[str, Any] = field(default_factory=dict)


def options(description: str, *, runs: int) -> argparse.ArgumentParser:
    """A parser with the options that every benchmark has."""
    parser = argparse.ArgumentParser(
        description=description.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=runs, help="timed runs of each side; the median counts")
    parser.add_argument("--no-warmup", dest="warmup", action="store_false", help="count the first run, too")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="CPU threads")
    parser.add_argument("--seed", type=int, default=0, help="decides the data")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    return parser


def compare(sides: Sequence[Side], *, runs: int, threads: int, warmup: bool = True) -> list[dict[str, Any]]:
    """Time the sides in turn.

    Args:
        sides: the last is the reference, to whose speed all are set in relation (the last row).
        runs: timed runs of each.
        threads: CPU threads of each.
        warmup: do one run of each that does not count.

    Returns:
        A row for each side: ``side``; medians ``seconds``, ``cpu_seconds``, ``units_per_second`` and
        ``units_per_cpu_second``; both speeds in relation to the last row; ``peak_memory_mib`` of its process and
        what it told of itself. Or ``side`` and ``failed``.
    """
    # Read by the processes below when they import their libraries.
    os.environ.update({name: str(threads) for name in ("OMP_NUM_THREADS", "POLARS_MAX_THREADS", "RAYON_NUM_THREADS")})
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does
    workers = [_Worker(side, threads) for side in sides]
    for number in range(runs + warmup):
        for worker in workers:
            say(f"{worker.side.name}: " + (f"run {number + 1 - warmup} of {runs}" if number >= warmup else "warm-up"))
            worker.run(counts=number >= warmup)
    rows = [worker.finish() for worker in workers]
    for row in rows:
        for speed, times in _RELATIONS.items():
            if speed in row and speed in rows[-1]:
                row[times] = row[speed] / rows[-1][speed]
    return rows


class _Worker:
    """The process of a side."""

    def __init__(self, side: Side, threads: int) -> None:
        self.side = side
        self.seconds: list[float] = []
        self.cpu_seconds: list[float] = []
        self.units: list[float] = []
        self.facts: dict[str, Any] = {}
        self.failed: str | None = None
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(side, threads, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def run(self, *, counts: bool) -> None:
        answer = self._ask("run")
        if answer is not None and counts:
            self.seconds.append(answer["seconds"])
            self.cpu_seconds.append(answer["cpu_seconds"])
            self.units.append(answer["units"])
            self.facts = answer["facts"]

    def finish(self) -> dict[str, Any]:
        answer = self._ask("end")
        self._process.join(30)
        if answer is None or not self.seconds:
            return {"side": self.side.name, "failed": self.failed or "no run counted"}
        return {
            "side": self.side.name,
            "seconds": statistics.median(self.seconds),
            "cpu_seconds": statistics.median(self.cpu_seconds),
            "units_per_second": self._speed(self.seconds),
            "units_per_cpu_second": self._speed(self.cpu_seconds),
            "all_seconds": self.seconds,
            "all_cpu_seconds": self.cpu_seconds,
            **answer,
            **self.facts,
        }

    def _speed(self, times: list[float]) -> float:
        return statistics.median(units / max(seconds, 1e-9) for units, seconds in zip(self.units, times, strict=True))

    def _ask(self, order: str) -> Any:
        if self.failed is not None:
            return None
        try:
            self._pipe.send(order)
            answer = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join(30)
            code = self._process.exitcode
            self.failed = f"ended by signal {-code}" if code and code < 0 else f"ended with exit code {code}"
            return None
        if isinstance(answer, RuntimeError):
            self.failed = str(answer).splitlines()[0]
            return None
        return answer


def _serve(side: Side, threads: int, pipe: Connection) -> None:
    sys.stdout = sys.stderr  # stdout is for the result
    try:
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(threads)
        run = side.prepare(**side.arguments)
        while pipe.recv() == "run":
            began, began_cpu = time.perf_counter(), _cpu_seconds()
            done = run()
            seconds, cpu_seconds = time.perf_counter() - began, _cpu_seconds() - began_cpu
            units, facts = done if isinstance(done, tuple) else (done, {})
            pipe.send({"units": units, "seconds": seconds, "cpu_seconds": cpu_seconds, "facts": facts})
        pipe.send(_peaks())
    except EOFError:  # the benchmark was interrupted
        return
    except Exception as error:
        traceback.print_exc()
        pipe.send(RuntimeError(f"{type(error).__name__}: {error}"))


def _cpu_seconds() -> float:
    """Processor time so far, of all threads and of the processes that were waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _peaks() -> dict[str, float]:
    """The most memory that this process has held, and of the GPU if it used one, MiB."""
    status = Path("/proc/self/status")
    # What getrusage tells of a started process includes the peak of the one that started it.
    lines = status.read_text().splitlines() if status.exists() else []
    marks = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    host = marks[0] if marks else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peaks = {"peak_memory_mib": host / 1024}
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        peaks["peak_gpu_memory_mib"] = torch.cuda.max_memory_allocated() / 2**20
    return peaks


def machine(device: str = "cpu") -> dict[str, Any]:
    """What the figures were measured on."""
    info = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    found: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "cpu": names[0] if names else platform.machine(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
    }
    if device.startswith("cuda"):
        import torch

        found["gpu"] = torch.cuda.get_device_name(device)
    return found


def report(
    title: str,
    arguments: argparse.Namespace,
    rows: list[dict[str, Any]],
    *,
    unit: str,
    columns: Sequence[str] = (),
    device: str = "cpu",
    **facts: Any,
) -> None:
    """Print the rows as a table or, with ``--json``, as one object.

    Args:
        title: of the table.
        arguments: of the command line.
        rows: from :func:`compare`.
        unit: of the speed.
        columns: facts to show beside the usual ones.
        device: what was measured on.
        facts: more for the object.
    """
    here = machine(device)
    if arguments.json:
        given = {name: str(value) if isinstance(value, Path) else value for name, value in vars(arguments).items()}
        print_json({"benchmark": title, "machine": here, "options": given, "unit": unit, "rows": rows, **facts})
        return
    shown = {
        "seconds": "s a run",
        "units_per_second": f"{unit}/s",
        "times_the_last_row": "times the last row",
        "cpu_seconds": "CPU s",
        "units_per_cpu_second": f"{unit}/CPU s",
        "times_the_last_row_by_cpu": "times, by CPU s",
        "peak_memory_mib": "peak MiB",
        "peak_gpu_memory_mib": "peak GPU MiB",
        **{name: name.replace("_", " ") for name in columns},
    }
    used = [name for name in shown if any(name in row for row in rows)]
    cells = [
        [f"{row['side']} (failed: {row['failed']})" if "failed" in row else row["side"]]
        + [_cell(row.get(name)) for name in used]
        for row in rows
    ]
    described = ", ".join(f"{name} {value}" for name, value in here.items())
    print_table(["", *(shown[name] for name in used)], cells, title=f"{title}\n{described}")
    for name, value in facts.items():
        print(f"{name.replace('_', ' ')}: {json.dumps(value)}")


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)
