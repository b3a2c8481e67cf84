"""A Ray cluster: found or started, looked at, and its errors told as what they are.

Ray is used for tasks and actors alone. Its library of data sets, Ray Data, fits none of the stages: k-core filtering
goes over the same partitions again and again until nothing changes, its shuffle keeps state in actors that are lost
with their process, and the texts, vectors and histories of the other stages come in order from one file of the
contract, chunk by chunk, where a data set would have to be made of them first.
"""

import logging
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any

from stages import __version__
from stages.artifacts.errors import CocorecError, DataError, UsageError
from stages.frame.extras import how_to_install
from stages.frame.reporter import Reporter

_REACHED_WITHIN = 5.0
"""Seconds in which the head of a cluster has to answer."""

_AHEAD = 3
"""Jobs of each actor that are under way or wait for being fetched; what bounds the memory of the driver."""

SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # it would tell its makers who uses it
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else it warns of what it does with CUDA_VISIBLE_DEVICES
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",  # they are raised where they are asked for
}
"""Variables that Ray reads when it is imported."""

WORKERS = {
    "POLARS_MAX_THREADS": "1",  # a task has one processor
    "RAY_USAGE_STATS_ENABLED": "0",
    "HF_HUB_OFFLINE": "1",
}
"""Variables of the workers."""


class Cluster:
    """A cluster to which this process is connected; see :func:`cluster`.

    Attributes:
        ray: the module.
    """

    def __init__(self, ray: Any) -> None:
        self.ray = ray

    @property
    def processors(self) -> int:
        """CPUs of all machines, as Ray counts them."""
        return max(1, int(self.ray.cluster_resources().get("CPU", 1)))

    @property
    def gpus(self) -> int:
        """GPUs of all machines."""
        return int(self.ray.cluster_resources().get("GPU", 0))

    def task(self, function: Callable[..., Any], **options: Any) -> Any:
        """A function as a task of one processor, which is done again where its worker dies."""
        return self.ray.remote(function).options(**{"num_cpus": 1, "max_retries": 10, **options})

    def put(self, value: Any) -> Any:
        """Hold a value where all tasks can read it."""
        return self.ray.put(value)

    def get(self, reference: Any) -> Any:
        """What a task or tasks gave.

        Raises:
            CocorecError: as the task raised it.
            MemoryError: when its workers were ended again and again because the machine had no memory left.
            DataError: when Ray cannot make good what was lost.
        """
        with explained(self.ray):
            return self.ray.get(reference)

    def each(self, references: Sequence[Any]) -> Iterator[Any]:
        """What tasks gave, one after the other, in order."""
        for reference in references:
            yield self.get(reference)

    def generated(self, generators: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        """References to what generators yield, as it comes: the place of the generator, and the reference.

        What one generator yields comes in its order.
        """
        left = {generator: place for place, generator in enumerate(generators)}
        with explained(self.ray):
            while left:
                ready, _ = self.ray.wait(list(left), num_returns=1)
                for generator in ready:
                    try:
                        yield left[generator], next(generator)
                    except StopIteration:
                        del left[generator]

    def mapped(self, function: Callable[..., Any], shared: Any, jobs: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        """What a function gives for each job, in their order; a few are under way at a time.

        Args:
            function: called with ``shared`` and what the job holds.
            shared: sent once.
            jobs: asked for as workers become free.
        """
        task, held, most = self.task(function), self.put(shared), _AHEAD * self.processors
        under_way: deque[Any] = deque()
        for job in jobs:
            if len(under_way) >= most:
                yield self.get(under_way.popleft())
            under_way.append(task.remote(held, *job))
        while under_way:
            yield self.get(under_way.popleft())

    def device(self, asked: str) -> str:
        """Where actors compute a model: on GPUs where the cluster has some, unless another device is asked for.

        Raises:
            UsageError: when GPUs are asked for and there are none, for which actors would wait for ever.
        """
        if asked == "auto":
            return "cuda" if self.gpus else "cpu"
        kind = asked.partition(":")[0]  # an actor sees no GPU but its own
        if kind == "cuda" and not self.gpus:
            raise UsageError(f"--device {asked}: the Ray cluster has no GPU", "Use --device auto or cpu.")
        return kind

    def share_out(
        self,
        make: Callable[..., Callable[..., Any]],
        arguments: Sequence[Any],
        jobs: Iterable[tuple[Any, ...]],
        *,
        processors: int = 1,
        gpus: int = 0,
        most: int | None = None,
    ) -> Iterator[Any]:
        """Let actors do jobs; results come in the order of the jobs.

        Each actor makes once what does the jobs, such as a model. An actor whose process dies is started again, and
        does again what it had not finished.

        Args:
            make: called in each actor; gives the function that is called for each job.
            arguments: of ``make``.
            jobs: arguments of that function, one tuple a job; asked for as actors become free.
            processors: CPUs of an actor.
            gpus: GPUs of an actor.
            most: actors, where there is not more work.
        """
        widest = max((int(node["Resources"].get("CPU", 0)) for node in self.ray.nodes() if node["Alive"]), default=1)
        processors = max(1, min(processors, widest))
        count = self.gpus // gpus if gpus else self.processors // processors
        count = max(1, min(count, most or count))
        options = {"num_cpus": processors, "num_gpus": gpus, "max_restarts": 10, "max_task_retries": -1}
        kind = self.ray.remote(_Actor).options(**options)
        # What an actor is made of is sent once, and held here for one that has to be started again.
        held = self.put(tuple(arguments))
        actors = [kind.remote() for _ in range(count)]
        under_way: deque[tuple[Any, int]] = deque()
        with explained(self.ray):
            for job in jobs:
                if len(under_way) >= _AHEAD * count:
                    yield self.ray.get(under_way.popleft()[0])
                under_way.append(self._given(actors, under_way, (make, [held], *job)))
            while under_way:
                yield self.ray.get(under_way.popleft()[0])

    def _given(self, actors: Sequence[Any], under_way: Sequence[tuple[Any, int]], job: tuple[Any, ...]) -> Any:
        """Give a job to the actor with the fewest unfinished ones."""
        loads = [0] * len(actors)
        if under_way:
            references = [reference for reference, _ in under_way]
            waiting = set(self.ray.wait(references, num_returns=len(references), timeout=0, fetch_local=False)[1])
            for reference, place in under_way:
                loads[place] += reference in waiting
        place = loads.index(min(loads))
        return actors[place].work.remote(*job), place

    def check_workers(self, files: Sequence[Path], packages: Sequence[str]) -> None:
        """See that every machine has what this one has.

        Args:
            files: which all workers have to see under the same path.
            packages: which have to be installed there in the same version, beside cocorec.

        Raises:
            DataError: naming the machine and what it lacks.
        """
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        wanted = {name: _version(name) for name in packages}
        paths = [(str(path.absolute()), path.stat().st_size if path.is_file() else -1) for path in files]

        # A function inside a function is sent as a whole: it runs where cocorec is not installed.
        def look(names: list[str], paths: list[tuple[str, int]]) -> tuple[dict[str, str | None], list[str]]:
            import importlib
            import importlib.metadata
            import pathlib

            found: dict[str, str | None] = {}
            for name in names:
                try:
                    found[name] = importlib.metadata.version(name)
                except importlib.metadata.PackageNotFoundError:
                    found[name] = None
            try:
                found["cocorec"] = importlib.import_module("stages").__version__
            except ImportError:
                found["cocorec"] = None
            missing = []
            for name, size in paths:
                path = pathlib.Path(name)
                if not path.exists() or size != (path.stat().st_size if path.is_file() else -1):
                    missing.append(name)
            return found, missing

        nodes = [node for node in self.ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
        kind = self.ray.remote(look)
        asked = []
        for node in nodes:
            place = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            asked.append(kind.options(num_cpus=0, scheduling_strategy=place).remote(list(wanted), paths))
        for node, (found, missing) in zip(nodes, self.each(asked), strict=True):
            name = node["NodeManagerAddress"]
            for package, version in {"cocorec": __version__, **wanted}.items():
                if found[package] != version:
                    there = f"has {package} {found[package]}" if found[package] else f"has no {package}"
                    raise DataError(
                        f"the worker {name} {there}, this machine has {version}",
                        "Install the same environment on all machines of the cluster.",
                    )
            if missing:
                raise DataError(
                    f"the worker {name} does not see {missing[0]}, or sees another file there",
                    "Put inputs and work directory where all machines see them under the same path.",
                )


class _Actor:
    """Makes once what does its jobs, when the first one comes: what goes wrong then is told with that job."""

    def __init__(self) -> None:
        self._made: Callable[..., Any] | None = None

    def work(self, make: Callable[..., Callable[..., Any]], held: Sequence[Any], *job: Any) -> Any:
        if self._made is None:
            import ray

            self._made = make(*ray.get(held[0]))
        return self._made(*job)


@contextmanager
def cluster(address: str | None, reporter: Reporter) -> Iterator[Cluster]:
    """Be connected to a cluster inside the block: one started for it on this machine, or one that is there.

    Where this process is connected already, that connection is used and stays.

    Args:
        address: ``HOST:PORT`` of its head, ``auto``, or ``None`` to start one.
        reporter: is told which.

    Raises:
        UsageError: when Ray is not installed.
        DataError: when the cluster cannot be reached.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)  # read when it is imported
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            f"--engine ray needs Ray, which cannot be imported ({error})",
            f"Install the extra that brings it: {how_to_install('ray')}.",
        ) from error
    if ray.is_initialized():
        yield Cluster(ray)
        return
    if address not in (None, "auto"):
        _require_answer(str(address))
    own = {} if address else {"include_dashboard": False}
    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(
            address=address or "local",
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env={"env_vars": WORKERS},
            **own,
        )
    except Exception as error:  # of the network, of versions that differ, of the system: each has its own
        with suppress(Exception):
            ray.shutdown()
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(
            f"--address {address}: there is no Ray cluster to connect to: {reason}"
            if address
            else f"Ray cannot be started on this machine: {reason}",
            "Start one with `ray start --head` on one machine and `ray start --address HOST:PORT` on the others, with "
            "the same Python and packages, and run cocorec on one of them."
            if address
            else "Look into its log files, by default below /tmp/ray/session_latest/logs.",
        ) from error
    finally:
        with suppress(ValueError):  # in a thread that may not
            signal.signal(signal.SIGTERM, handler)  # Ray puts its own there
    try:
        found = Cluster(ray)
        where = f"the Ray cluster at {address}" if address else "a Ray cluster on this machine"
        gpus = f", {found.gpus} GPUs" if found.gpus else ""
        reporter.info(f"computing on {where}: {found.processors} CPUs{gpus}")
        with redirect_stdout(sys.stderr):  # where Ray would tell of workers that died
            yield found
    finally:
        ray.shutdown()


@contextmanager
def explained(ray: Any) -> Iterator[None]:
    """Turn errors of Ray inside the block into what happened in the task; see :meth:`Cluster.get`."""
    try:
        yield
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        if isinstance(cause, CocorecError | MemoryError):
            raise cause from None
        if isinstance(cause, ray.exceptions.RayError):
            raise _lost(cause) from error
        raise
    except ray.exceptions.OutOfMemoryError as error:
        raise MemoryError("a worker of the Ray cluster had no memory left, also when it was tried again") from error
    except ray.exceptions.RayError as error:
        raise _lost(error) from error


def _lost(error: BaseException) -> DataError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return DataError(
        f"the Ray cluster could not finish the work: {type(error).__name__}: {reason}",
        "See whether its machines are up and have memory and disk left (`ray status`), then run the same command.",
    )


def _require_answer(address: str) -> None:
    """Ask first: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _REACHED_WITHIN):
            pass
    except (OSError, OverflowError) as error:
        raise DataError(
            f"--address {address}: there is no answer ({getattr(error, 'strerror', None) or error})",
            "Start the head of the cluster with `ray start --head`, which prints the address, and see that no firewall "
            "is in between.",
        ) from error


def _version(package: str) -> str | None:
    import importlib.metadata

    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
