import io

import pytest

from cocorec_cli import console
from cocorec_cli.console import ConsoleReporter, printable


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    return now


def test_a_log_gets_a_line_every_ten_seconds(capsys, clock):
    with ConsoleReporter().track("embedding title", 4000, "texts") as advance:
        for _ in range(40):
            clock[0] += 0.6
            advance(100)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "embedding title: 1,700/4,000 texts (42%), 10 s, about 14 s left",
        "embedding title: 3,400/4,000 texts (85%), 20 s, about 4 s left",
        "embedding title: done, 4,000 texts in 24 s",
    ]


def test_short_work_leaves_no_line_in_a_log(capsys, clock):
    with ConsoleReporter().track("reading") as advance:
        advance(3)
    assert capsys.readouterr().err == ""


def test_work_of_unknown_length(capsys, clock):
    with ConsoleReporter().track("reading", unit="rows") as advance:
        clock[0] += 11
        advance(1234)
    assert capsys.readouterr().err.splitlines() == ["reading: 1,234 rows, 11 s", "reading: done, 1,234 rows in 11 s"]


def test_failed_work_is_not_called_done(capsys, clock):
    with pytest.raises(ValueError), ConsoleReporter().track("reading", 10) as advance:
        clock[0] += 11
        advance(1)
        raise ValueError
    assert "done" not in capsys.readouterr().err


def test_bars_and_messages_on_a_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("sys.stderr", stream := Terminal())
    reporter = ConsoleReporter()
    with reporter.track("views", 2, "views") as outer:
        for _ in range(2):
            with reporter.track("texts", 10, "texts") as inner:
                inner(10)
                reporter.info("half [way]")
                reporter.warn("few items")
            outer(1)
    written = stream.getvalue()
    assert "2/2 views" in written
    assert "10/10 texts" in written
    assert "half [way]" in written
    assert "warning: few items" in written
    assert "\x1b[33m" not in written  # NO_COLOR
    assert reporter.warned == ["few items", "few items"]


def test_colour_on_a_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stderr", stream := Terminal())
    ConsoleReporter().warn("few items")
    assert "\x1b[33mwarning: \x1b[0mfew items" in stream.getvalue()


def test_quiet(capsys, monkeypatch):
    reporter = ConsoleReporter(quiet=True)
    with reporter.track("views", 2, "views") as advance:
        advance(2)
    reporter.info("information")
    reporter.warn("few items")
    assert capsys.readouterr().err == "warning: few items\n"


def test_a_log_without_lines_about_progress(capsys, clock):
    reporter = ConsoleReporter(lines=False)
    with reporter.track("downloading", 100, "bytes") as advance:
        clock[0] += 60
        advance(50)
    reporter.info("half")
    assert capsys.readouterr().err == "half\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Größe 5″ 日本 🙂 [red]", "Größe 5″ 日本 🙂 [red]"),
        ("a\x1b]0;title\x07b", "a\\x1b]0;title\\x07b"),
        ("a\x9b31mb\rc\bd\te", "a\\x9b31mb\\rc\\x08d\\te"),
        ("exe.\u202egpj", "exe.\\u202egpj"),
        ("n\udcff", "n\\udcff"),
        ("one\ntwo", "one\ntwo"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text, shown):
    assert printable(text) == shown
    assert printable(text, lines=False) == shown.replace("\n", "\\n")


def test_labels_are_no_markup(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("sys.stderr", stream := Terminal())
    with ConsoleReporter().track("reading [red]log\x1b[31m[/red].csv", 2, "rows") as advance:
        advance(2)
    assert "reading [red]log\\x1b[31m[/red].csv" in stream.getvalue()


def test_a_brief_reporter_tells_what_takes_long_and_warnings(capsys):
    reporter = ConsoleReporter(brief=True)
    reporter.info("epoch 1: loss 2.0")
    reporter.announce("an epoch takes 60 s")
    reporter.warn("few users")
    assert capsys.readouterr().err == "an epoch takes 60 s\nwarning: few users\n"
    ConsoleReporter(quiet=True).announce("an epoch takes 60 s")
    assert capsys.readouterr().err == ""
