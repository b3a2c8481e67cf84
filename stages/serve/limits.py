"""What stands before the application: how many requests, how large a body, how long it may take to arrive."""

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from stages.artifacts.json_text import json_text
from stages.serve.metrics import Metrics

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_PROBES = frozenset({"/healthz", "/metrics"})
"""Answered however many requests wait."""

_LINGER = 2.0
"""Seconds in which a refused body is read away, so that its sender gets to read why."""

SAFE_HEADERS = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]
"""Of every answer: it is what its type says, and it is of this moment."""


def problem(message: str, hint: str | None = None) -> dict[str, str]:
    """The JSON of an answer that is an error."""
    return {"error": message} | ({"hint": hint} if hint else {})


class Limits:
    """An ASGI application around another one, whose requests arrive whole and bounded.

    Args:
        app: the application.
        max_waiting: requests inside at a time; others get 429.
        max_body: bytes; larger ones get 413.
        seconds: for a body to arrive; slower ones get 408.
        metrics: count all of them.
    """

    def __init__(self, app: App, *, max_waiting: int, max_body: int, seconds: float, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics
        self._max_waiting, self._max_body, self._seconds = max_waiting, max_body, seconds
        self._active = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve a request; see https://asgi.readthedocs.io."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), *SAFE_HEADERS]
            await send(message)

        try:
            await self._admit(scope, receive, counted)
        finally:
            if status:  # none where the client has gone
                self._metrics.answered(scope["method"], scope["path"], status, time.perf_counter() - began)

    async def _admit(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["path"] in _PROBES:
            await self._bounded(scope, receive, send)
        elif self._active >= self._max_waiting:
            told = problem("too many requests at a time", "Try again after the seconds of Retry-After.")
            await _refuse(429, told, receive, send, (b"retry-after", b"1"))
        else:
            self._active += 1
            self._metrics.active.set(self._active)
            try:
                await self._bounded(scope, receive, send)
            finally:
                self._active -= 1
                self._metrics.active.set(self._active)

    async def _bounded(self, scope: Message, receive: Receive, send: Send) -> None:
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        body, more = bytearray(), True
        try:
            async with asyncio.timeout(self._seconds):
                while more and len(body) <= self._max_body and int(declared) <= self._max_body:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
        except TimeoutError:
            told = problem(f"the body did not arrive within {self._seconds:g} seconds")
            await _refuse(408, told, receive, send)
            return
        if more or len(body) > self._max_body:
            told = problem(f"the body is larger than {math.ceil(self._max_body / 1024):,} KiB", "Send shorter lists.")
            await _refuse(413, told, receive, send)
            return
        arrived: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def whole() -> Message:
            return arrived.pop() if arrived else await receive()

        await self._app(scope, whole, send)


async def _refuse(
    status: int, told: dict[str, str], receive: Receive, send: Send, *headers: tuple[bytes, bytes]
) -> None:
    """Answer at once and close the connection, after the rest of the body has been read away for a moment."""
    content = json_text(told).encode()
    fixed = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send(
        {"type": "http.response.start", "status": status, "headers": [*fixed, (b"connection", b"close"), *headers]}
    )
    await send({"type": "http.response.body", "body": content, "more_body": True})
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LINGER):
            while (message := await receive())["type"] == "http.request" and message.get("more_body", False):
                pass
    await send({"type": "http.response.body", "body": b"", "more_body": False})
