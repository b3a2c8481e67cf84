"""Preprocessing on Ray: seconds, and the most memory that a worker, the driver and the shared store held.

    python -m benchmarks.cluster --reviews 1000000
    python -m benchmarks.cluster --reviews 10000000 --files 10

The log is invented, see ``benchmarks.preprocess``, in several files. Memory of a process is what it keeps from others;
pages of the shared store are counted there.
"""

import argparse
import json
import logging
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

import psutil

from benchmarks.preprocess import write_reviews
from stages.frame.cluster import SETTINGS, WORKERS
from stages.preprocess import PreprocessOptions, preprocess

_INTERVAL = 0.1


class Peaks:
    """The most memory in MiB that this process, and any of its workers, has held at once.

    Attributes:
        driver: of this process.
        worker: of the largest worker.
    """

    def __init__(self) -> None:
        self.driver = self.worker = 0.0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Peaks":
        self._thread.start()
        return self

    def __exit__(self, *ended: object) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        me = psutil.Process()
        while not self._end.wait(_INTERVAL):
            self.driver = max(self.driver, _own(me))
            for process in me.children(recursive=True):
                try:
                    if process.cmdline()[:1] and process.cmdline()[0].startswith("ray::"):
                        self.worker = max(self.worker, _own(process))
                except psutil.Error:
                    continue


def _own(process: psutil.Process) -> float:
    memory = process.memory_info()
    return (memory.rss - memory.shared) / 2**20


def write_log(folder: Path, reviews: int, files: int) -> None:
    """The invented log, in files of about equal size, one after the other in time; those that are there stay."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(files):
        first, end = (reviews * place // files for place in (number, number + 1))
        path = folder / f"reviews-{number:03}.jsonl.gz"
        if not path.exists():
            write_reviews(path.with_suffix(".part"), end - first, number, first=first, of=reviews)
            path.with_suffix(".part").rename(path)


def main(args: list[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reviews", type=int, default=1_000_000, help="lines of the log")
    parser.add_argument("--files", type=int, default=1, help="files that they stand in")
    parser.add_argument("--workers", type=int, default=2, help="CPUs of the cluster")
    parser.add_argument("--store", type=int, default=300, help="MB of its shared store; more goes to the disk")
    parser.add_argument(
        "--log", type=Path, help="folder that keeps the log; files that are there are not written again"
    )
    arguments = parser.parse_args(args)
    os.environ.update(SETTINGS)
    import ray

    folder = Path(tempfile.mkdtemp())
    log = arguments.log or folder / "log"
    write_log(log, arguments.reviews, arguments.files)
    ray.init(
        address="local",
        num_cpus=arguments.workers,
        object_store_memory=arguments.store * 10**6,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        runtime_env={"env_vars": WORKERS},
    )
    try:
        began = time.perf_counter()
        with Peaks() as peaks:
            result = preprocess(PreprocessOptions(inputs=(log,), engine="ray"), workdir=folder / "work")
        seconds = time.perf_counter() - began
    finally:
        ray.shutdown()
        shutil.rmtree(folder)
    row = {
        "reviews": arguments.reviews,
        "seconds": round(seconds, 1),
        "worker_mib": round(peaks.worker),
        "driver_mib": round(peaks.driver),
        "k_core_rounds": result.facts["k_core_rounds"],
        "users": result.facts["users"],
    }
    print(json.dumps(row))


if __name__ == "__main__":
    main()
