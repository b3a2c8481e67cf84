"""What a process tells the one that waits for it: JSON, a line an event, first of all what its reporter hears."""

import io
import itertools
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from stages.artifacts.json_text import json_text
from stages.frame.reporter import Reporter

Event = Mapping[str, Any]

_PRINTED = 600
"""Characters that an event prints at most: whatever they are, it is short enough to be told as a whole."""


class Channel:
    """The writing end.

    Args:
        descriptor: of the pipe.
        rank: of this process, which stands in each event.
    """

    def __init__(self, descriptor: int, rank: int | None = None) -> None:
        self._descriptor, self._rank = descriptor, rank

    def send(self, **event: Any) -> None:
        """Tell an event, whole or not at all where it is short, whoever else writes into the pipe."""
        line = (json_text({"rank": self._rank, **event}) + "\n").encode()
        while line:
            line = line[os.write(self._descriptor, line) :]


class Relay(Reporter):
    """A reporter that tells all it hears to the other end.

    Args:
        channel: where it goes.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._numbers = itertools.count()

    def info(self, message: str) -> None:
        """See :class:`Reporter`."""
        self._channel.send(call="info", args=[message])

    def announce(self, message: str) -> None:
        """See :class:`Reporter`."""
        self._channel.send(call="announce", args=[message])

    def warn(self, message: str) -> None:
        """See :class:`Reporter`."""
        self._channel.send(call="warn", args=[message])

    def on_epoch(self, number: int, metric: float) -> None:
        """See :class:`Reporter`; what is raised at the other end ends the processes."""
        self._channel.send(call="on_epoch", args=[number, metric])

    @contextmanager
    def track(self, label: str, total: int | None = None, unit: str = "") -> Iterator[Callable[[int], None]]:
        """See :class:`Reporter`."""
        number = next(self._numbers)
        self._channel.send(begin=number, args=[label, total, unit])
        try:
            yield lambda done: self._channel.send(advance=number, done=done)
        finally:
            self._channel.send(end=number)


class Printed(io.TextIOBase):
    """A file whose text the other end prints.

    Args:
        channel: where it goes.
    """

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of standard output, which is the same at the other end: it comes from the environment."""
        return sys.stdout.encoding

    def write(self, text: str) -> int:
        """See :class:`io.TextIOBase`."""
        for start in range(0, len(text), _PRINTED):
            self._channel.send(printed=text[start : start + _PRINTED])
        return len(text)


class Replay:
    """Lets a reporter hear what a :class:`Relay` was told.

    Args:
        reporter: of this process.
    """

    _CALLS = ("info", "announce", "warn", "on_epoch")

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._works: dict[int, ExitStack] = {}
        self._advance: dict[int, Callable[[int], None]] = {}

    def hear(self, event: Event) -> None:
        """Take an event; those that are not of a relay are passed over."""
        if event.get("call") in self._CALLS:
            getattr(self._reporter, event["call"])(*event["args"])
        elif "begin" in event:
            work = self._works[event["begin"]] = ExitStack()
            self._advance[event["begin"]] = work.enter_context(self._reporter.track(*event["args"]))
        elif "advance" in event:
            self._advance[event["advance"]](event["done"])
        elif "end" in event:
            self._works.pop(event["end"]).close()

    def close(self) -> None:
        """End all work that has not ended."""
        while self._works:
            self._works.popitem()[1].close()


def read_event(line: bytes) -> Event:
    """An event, from its line; an empty one where the line is none."""
    try:
        event = json.loads(line)
    except ValueError:  # of a library that found the pipe
        return {}
    return event if isinstance(event, dict) else {}
