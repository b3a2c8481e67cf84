"""A stage without a use that several processes can share; what its processes do is an option."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from stages.frame.options import Option, Options
from stages.frame.processes.place import own_place
from stages.frame.result import Result


@dataclass(frozen=True)
class WorkOptions(Options):
    """What the processes do."""

    sleep: Annotated[float, Option("Seconds that they work.", "Work", min=0)] = 0.0
    folder: Annotated[Path, Option("Where each leaves its number.", "Work")] = Path()
    names: Annotated[tuple[str, ...], Option("Of anything.", "Work")] = ()


def work(options, *, workdir, force, reporter, more=None, stdout=None):
    """Leave the number of this process, report, work, and give a result."""
    place = own_place()
    (options.folder / f"{place.rank}").write_text(str(os.getpid()))
    print("a library prints")
    if stdout is not None:
        stdout.write(f"printed by {place.rank}: {more}\n")
    reporter.info(f"process {place.rank} of {place.count}")
    reporter.on_epoch(1, 0.5)
    time.sleep(options.sleep)
    threads = {os.environ[name] for name in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS")}
    facts = {"names": list(options.names), "force": force, "threads": sorted(threads)}
    return Result("work", {"work": Path(workdir) / "work"}, facts, warnings=("mind this",), timings={"total": 1.0})
