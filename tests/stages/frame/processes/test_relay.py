"""What a reporter hears at one end is what the other end hears."""

import os
import select
import sys
from contextlib import contextmanager

from stages.frame.processes.relay import Channel, Printed, Relay, Replay, read_event
from stages.frame.reporter import Reporter


class Heard(Reporter):
    def __init__(self):
        self.all = []

    def info(self, message):
        self.all.append(("info", message))

    def announce(self, message):
        self.all.append(("announce", message))

    def warn(self, message):
        self.all.append(("warn", message))

    def on_epoch(self, number, metric):
        self.all.append(("epoch", number, metric))

    @contextmanager
    def track(self, label, total=None, unit=""):
        self.all.append(("begin", label, total, unit))
        yield lambda done: self.all.append(("done", label, done))
        self.all.append(("end", label))


def talk(reporter):
    reporter.info("first")
    reporter.announce("a while")
    with reporter.track("epoch 1", 3, "steps") as advance:
        advance(1)
        with reporter.track("inside") as inner:
            inner(5)
        advance(2)
    reporter.warn("mind\nthis")
    reporter.on_epoch(1, 0.25)


def test_all_is_heard():
    theirs, ours = os.pipe()
    talk(Relay(Channel(ours, 0)))
    os.close(ours)
    direct, far = Heard(), Heard()
    talk(direct)
    replay = Replay(far)
    with os.fdopen(theirs, "rb") as lines:
        for line in lines:
            replay.hear(read_event(line))
    assert far.all == direct.all and len(far.all) == 11


def test_work_that_does_not_end_is_ended():
    heard = Heard()
    replay = Replay(heard)
    replay.hear({"begin": 0, "args": ["epoch 1", 3, "steps"]})
    replay.close()
    assert heard.all[-1] == ("end", "epoch 1")


def test_what_is_no_event_is_passed_over():
    heard = Heard()
    for line in (b"a library prints\n", b"[1]\n", b'{"call": "close", "args": []}\n'):
        Replay(heard).hear(read_event(line))
    assert heard.all == []


def test_what_is_printed_comes_in_events_that_are_told_whole():
    theirs, ours = os.pipe()
    text = "\x00é😀\n" * 1000
    file = Printed(Channel(ours, 0))
    assert (file.write(text), file.encoding) == (len(text), sys.stdout.encoding)
    os.close(ours)
    with os.fdopen(theirs, "rb") as lines:
        events = list(lines)
    assert "".join(read_event(line)["printed"] for line in events) == text
    assert max(map(len, events)) <= select.PIPE_BUF
