"""uvicorn with deadlines for slow clients, a bound on connections, and signals that let requests end."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

_HEAD = 16 * 1024
"""Bytes of a request's head."""

_IDLE = 75
"""Seconds that a connection is kept between two requests: longer than proxies and clients keep theirs, since a request
that is sent just when the server closes an idle connection is lost."""

_PARTS = 4
"""Times a deadline that a whole request may take: its body, its place in the queue, its answer, and some."""


def protocol_class(max_connections: int, seconds: float) -> type[H11Protocol]:
    """The protocol of a connection.

    uvicorn closes a connection that is idle after an answer, and no other: one that never sends a whole head, or never
    reads its answer, would be kept for ever.

    Args:
        max_connections: further ones are closed as soon as they are made.
        seconds: for the head of a request; the whole of it has four times as long.
    """

    class Bounded(H11Protocol):
        _deadline: asyncio.TimerHandle | None = None
        _idle = False

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > max_connections:
                transport.abort()
                return
            self._within(seconds)

        def connection_lost(self, exc: Exception | None) -> None:
            self._forget()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self._idle:
                self._idle = False
                self._within(seconds)
            super().data_received(data)

        def handle_events(self) -> None:
            before = self.cycle
            super().handle_events()
            if self.cycle is not before and not self.cycle.response_complete:
                self._idle = False
                self._within(_PARTS * seconds)

        def on_response_complete(self) -> None:
            self._idle = True
            self._within(_IDLE)
            super().on_response_complete()

        def _within(self, after: float) -> None:
            self._forget()
            self._deadline = self.loop.call_later(after, self.transport.abort)

        def _forget(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()

    return Bounded


class Server(uvicorn.Server):
    """A server that ends in good order on SIGTERM and Ctrl-C, and does not pass them on.

    Args:
        app: an ASGI application.
        protocol: of its connections, from :func:`protocol_class`.
        drain_seconds: how long requests at work may take to end.
        started: called once it listens.
    """

    def __init__(
        self,
        app: Callable[..., Any],
        protocol: type[H11Protocol],
        *,
        drain_seconds: float,
        started: Callable[[], None],
    ) -> None:
        config = uvicorn.Config(
            app,
            http=protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            h11_max_incomplete_event_size=_HEAD,
            timeout_keep_alive=_IDLE,
            timeout_graceful_shutdown=drain_seconds,  # type: ignore[arg-type]  # waits for any number of seconds
        )
        super().__init__(config)
        self._tell_started = started

    async def startup(self, sockets: Any = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self._tell_started()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Inside the block both signals end the server; afterwards they are what they were."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
