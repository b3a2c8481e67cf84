"""The entry point of serving."""

import asyncio
import logging
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from stages.artifacts.errors import UsageError
from stages.frame.reporter import Reporter
from stages.frame.threads import threads
from stages.serve.app import create_app
from stages.serve.batching import Batcher
from stages.serve.limits import Limits
from stages.serve.metrics import Metrics
from stages.serve.options import ServeOptions
from stages.serve.protocol import Server, protocol_class
from stages.serve.ranking import answer
from stages.serve.reload import Reloader
from stages.serve.shortlist import LoadIndex
from stages.serve.snapshot import ChangedMeanwhileError, Snapshot, file_states, load_snapshot

_SWITCH = 0.001
"""Seconds after which a thread that computes in Python lets another one go on: the one that answers must not wait long
for one that reads a new model."""

_TRIES = 5
"""Times that a model is read whose files are replaced meanwhile."""


def serve(
    options: ServeOptions | None = None,
    *,
    workdir: Path,
    reporter: Reporter | None = None,
    load_index: LoadIndex | None = None,
) -> None:
    """Answer over HTTP until SIGTERM or Ctrl-C; requests at work are answered first.

    Args:
        options: by default all defaults.
        workdir: the work directory, after ``cocorec train``.
        reporter: told what happens.
        load_index: reads the index of the item vectors; without it all items are scored for each request.

    Raises:
        UsageError: for options that do not fit, or an address that cannot be listened at.
        DataError: for artifacts that are missing, damaged or do not belong together.
    """
    options, workdir, reporter = options or ServeOptions(), Path(workdir), reporter or Reporter()
    with _bound(options) as listening, threads(options.threads):
        began = time.perf_counter()

        def load() -> Snapshot:
            return load_snapshot(workdir, options, reporter, load_index)

        snapshot = _first(load, options.poll_seconds)
        reporter.info(
            f"model {snapshot.version}: {snapshot.recommender.model.config.model}, {len(snapshot.items):,} items, "
            f"{len(snapshot.users):,} users, read in {time.perf_counter() - began:.1f} s"
        )
        _serve(options, workdir, reporter, snapshot, load, listening)


def _serve(
    options: ServeOptions,
    workdir: Path,
    reporter: Reporter,
    snapshot: Snapshot,
    load: Callable[[], Snapshot],
    listening: socket.socket,
) -> None:
    metrics = Metrics()
    metrics.serves(snapshot)
    reloader = Reloader(
        snapshot,
        load,
        lambda: file_states(workdir),
        poll_seconds=options.poll_seconds,
        say=lambda text: reporter.info(one_line(text)),
        warn=lambda text: reporter.warn(one_line(text)),
        observe=metrics.reloaded,
    )
    batcher = Batcher(answer, max_batch=options.max_batch, observe=metrics.batch)
    app = Limits(
        create_app(options, reloader, batcher, metrics),
        max_waiting=options.max_waiting,
        max_body=1024 * options.max_body,
        seconds=options.request_seconds,
        metrics=metrics,
    )
    host, port = listening.getsockname()[:2]
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    server = Server(
        app,
        protocol_class(options.max_connections, options.request_seconds),
        drain_seconds=options.drain_seconds,
        started=lambda: reporter.info(f"listening at {address}; {address}/docs describes it"),
    )
    handler = _Log(reporter)
    logging.getLogger("uvicorn.error").addHandler(handler)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH)
    reloader.start()
    try:
        asyncio.run(server.serve(sockets=[listening]))
    finally:
        sys.setswitchinterval(interval)
        logging.getLogger("uvicorn.error").removeHandler(handler)
        reloader.close()
        batcher.close()
    reporter.info("ended; all requests were answered")


def _first(load: Callable[[], Snapshot], poll_seconds: float) -> Snapshot:
    for _ in range(_TRIES - 1):
        try:
            return load()
        except ChangedMeanwhileError:
            time.sleep(poll_seconds)
    return load()


def _bound(options: ServeOptions) -> socket.socket:
    """A socket that has its address, and does not listen before there is a model."""
    try:
        found = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        # Said to be TCP, or asyncio would not send small answers at once: 40 ms each (Nagle's algorithm).
        made = socket.socket(found[0], socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(found[4])
        except OSError:
            made.close()
            raise
    except (OSError, UnicodeError) as error:
        told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(
            f"cannot listen at {options.host} port {options.port}: {told}", "Choose another --host or --port."
        ) from None
    return made


def one_line(text: str) -> str:
    """A text of any origin as one line of a log."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


class _Log(logging.Handler):
    """Tells the errors that uvicorn logs, each in one line; what single clients do wrong is counted, not told.

    Args:
        reporter: hears of them.
    """

    def __init__(self, reporter: Reporter) -> None:
        super().__init__(logging.ERROR)
        self._reporter = reporter

    def emit(self, record: logging.LogRecord) -> None:
        told = record.getMessage().strip()
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            last = error.__traceback__
            while last is not None and last.tb_next is not None:
                last = last.tb_next
            place = "" if last is None else f" at {last.tb_frame.f_code.co_filename}:{last.tb_lineno}"
            told += f": {error!r}{place}"
        self._reporter.warn(one_line(told))
