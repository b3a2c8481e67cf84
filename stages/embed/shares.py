"""Encoding in several processes of this machine, each of which fills chunks of the store by itself.

The pool of sentence-transformers (``start_multi_process_pool``) does not fit. Its processes know nothing of autocast,
so of ``precision``; it divides texts into equal numbers, not into batches of equal work, and waits for all of a call
before the next; its processes stay when the one that started them is killed, and print the traceback of an error; a
model that openvino has compiled cannot be sent to them.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from stages.artifacts.atomic import temporary_prefix
from stages.artifacts.errors import DataError, UsageError
from stages.embed.batches import BatchPlan, Index
from stages.embed.chunks import ChunkStore, Matrix
from stages.embed.encoder import Encoder, choose_device
from stages.embed.encoding import Advance, Work, encode_here
from stages.embed.options import EmbedOptions
from stages.embed.source import Source
from stages.embed.text_file import read_text
from stages.embed.texts import DistinctTexts
from stages.frame.processes.launch import launch
from stages.frame.processes.place import own_place, to_launch
from stages.frame.reporter import Reporter
from stages.frame.result import Result
from stages.frame.run import StageRun
from stages.frame.threads import threads


def processes_to_start(options: EmbedOptions) -> tuple[int, str] | None:
    """How many processes encode, and on which kind of device; ``None`` where this one does.

    Raises:
        UsageError: when there are fewer GPUs, or the device is one for several; under torchrun.
    """
    count = to_launch(options.processes)
    if options.processes is not None and own_place() is not None:
        raise UsageError("`embed` starts its processes itself", "Start it without torchrun.")
    if count is None:
        return None
    on_cpu = options.backend == "openvino" and options.device == "auto"
    device = choose_device("cpu" if on_cpu else options.device)
    if device.type == "cpu":
        return count, "cpu"
    if device.type != "cuda" or ":" in options.device:
        raise UsageError(f"--device {device} is one for several processes", "Choose cuda, auto or cpu.")
    import torch

    if count > (found := torch.cuda.device_count()):
        raise UsageError(
            f"{count} processes need as many GPUs, and this machine has {found}",
            "Start fewer with --processes, or choose --device cpu.",
        )
    return count, "cuda"


class EncodeTogether:
    """Encodes chunks in several processes.

    Args:
        source: of the model.
        options: of the stage.
        run: of the stage.
        texts: in a file with a name.
        store: which the processes fill.
        count: how many.
        device: its kind; on ``cuda`` each has a GPU of its own.

    Attributes:
        facts: what there is to say of the processes; empty where there was nothing to encode.
    """

    def __init__(
        self,
        source: Source,
        options: EmbedOptions,
        run: StageRun,
        texts: DistinctTexts,
        store: ChunkStore,
        count: int,
        device: str,
    ) -> None:
        self._source, self._options, self._run, self._texts, self._store = source, options, run, texts, store
        self._count, self._device = count, device
        self.facts: dict[str, Any] = {}

    def __call__(self, work: Work, advance: Advance) -> Iterator[Matrix]:
        """See :data:`stages.embed.encoding.Encode`.

        Raises:
            ProcessError: when a process dies.
            CocorecError: what one of them raised.
        """
        if work.chunks:
            reporter = _Counting(self._run.reporter, advance, self._count, work.rows)
            with _written(work, self._texts, self._store.key, self._run.workdir) as job:
                result = launch(
                    "stages.embed.shares:encode_share",
                    self._options,
                    workdir=self._run.workdir,
                    force=False,
                    reporter=reporter,
                    count=self._count,
                    handed={
                        "job": str(job),
                        "folder": str(self._source.folder.absolute()),
                        "name": self._source.name,
                        "device": self._device,
                    },
                )
            self.facts = {"processes": self._count, **result.facts}
            reporter.finish()
        for chunk in work.chunks:
            yield self._store.require(chunk)


def encode_share(
    options: EmbedOptions,
    *,
    workdir: Path,
    force: bool,
    reporter: Reporter,
    job: str,
    folder: str,
    name: str,
    device: str,
) -> Result:
    """Fill the share of chunks of the process that this is.

    Args:
        options: of the stage.
        workdir: with the store.
        force: of no meaning here.
        reporter: is told how many texts this process has encoded.
        job: what there is to do.
        folder: of the model.
        name: what errors call the model.
        device: ``cpu`` or ``cuda``.

    Returns:
        How many threads it computed with.

    Raises:
        DataError: when the model cannot be loaded or gives no finite vector, a batch needs too much memory, or the
            disk is full.
    """
    import torch

    place = own_place()
    assert place is not None
    with _read(Path(job)) as found, threads(options.threads), reporter.track("encoding", unit="texts") as advance:
        own = found.chunks[place.rank :: place.count]
        if own:  # there may be fewer chunks than processes
            where = f"{device}:{place.local}" if device == "cuda" else device
            encoder = Encoder(Path(folder), name, replace(options, device=where))
            store = ChunkStore(workdir, found.key, found.plan.chunk_rows, encoder.dimension)
            for _ in encode_here(encoder, store)(Work(found.plan, own, found.take), advance):
                pass
        return Result("embed", {}, {"threads": torch.get_num_threads()})


@contextmanager
def _written(work: Work, texts: DistinctTexts, key: str, workdir: Path) -> Iterator[Path]:
    """A file that says what there is to do, there inside the block.

    Raises:
        DataError: when the work directory cannot be written.
    """
    plan = work.plan
    tensors = {
        "batches": plan.batches,
        "bounds": np.stack([texts.starts[plan.order], texts.ends[plan.order]], axis=1),
        "chunks": plan.chunks,
        "missing": np.array(work.chunks),
    }
    content = save(tensors, {"key": key, "texts": str(texts.text_file.path)})
    folder = workdir / ".cocorec"
    try:
        # Where the run is killed, the next one deletes what has such a name.
        with tempfile.NamedTemporaryFile(dir=folder, prefix=temporary_prefix("embed-job")) as file:
            file.write(content)
            file.flush()
            yield Path(file.name)
    except OSError as error:
        raise DataError(
            f"cannot write in {folder}: {error.strerror or error}",
            "Make room or choose a folder that can be written with --workdir; finished chunks are kept.",
        ) from error


@dataclass(frozen=True)
class _Job:
    """What :func:`_written` says.

    Attributes:
        key: of the store.
        plan: of all texts, which are called by their places in it.
        chunks: those to encode.
        take: gives the texts at places that follow each other.
    """

    key: str
    plan: BatchPlan
    chunks: list[int]
    take: Callable[[Index], list[str]]


@contextmanager
def _read(path: Path) -> Iterator[_Job]:
    """What :func:`_written` says, as long as the block lasts."""
    with safe_open(path, "numpy") as file:
        said, bounds = file.metadata(), file.get_slice("bounds")
        with Path(said["texts"]).open("rb") as texts:

            def take(places: Index) -> list[str]:
                some = bounds[int(places[0]) : int(places[-1]) + 1].tolist()
                return [read_text(texts.fileno(), start, end, path.parent) for start, end in some]

            order = np.arange(bounds.get_shape()[0])
            plan = BatchPlan(order, file.get_tensor("batches"), file.get_tensor("chunks"))
            yield _Job(said["key"], plan, file.get_tensor("missing").tolist(), take)


class _Counting(Reporter):
    """Tells what the first process reports, and of its progress as that of all.

    Args:
        reporter: of this process.
        advance: is told how many more texts are done.
        count: how many processes there are.
        texts: how many there are to encode.
    """

    def __init__(self, reporter: Reporter, advance: Advance, count: int, texts: int) -> None:
        self._reporter, self._advance, self._count, self._left = reporter, advance, count, texts

    def info(self, message: str) -> None:
        """See :class:`Reporter`."""
        self._reporter.info(message)

    def warn(self, message: str) -> None:
        """See :class:`Reporter`."""
        self._reporter.warn(message)

    @contextmanager
    def track(self, label: str, total: int | None = None, unit: str = "") -> Iterator[Callable[[int], None]]:
        """See :class:`Reporter`; the others are as far as the first one."""
        yield lambda done: self._tell(done * self._count)

    def finish(self) -> None:
        """Tell that all are done."""
        self._tell(self._left)

    def _tell(self, done: int) -> None:
        done = min(done, self._left)
        self._left -= done
        self._advance(done)
