"""Processes that share work: their result, their end, and what is said of one that ends too early."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from shared_work import WorkOptions

from stages.artifacts.errors import DataError, ProcessError, UsageError
from stages.frame.processes.launch import Ending, launch
from stages.frame.reporter import Reporter
from stages.frame.result import Result

SUPPORT = Path(__file__).resolve().parents[3] / "support"
RESULT = {"stage": "train", "outputs": {"a": "w/a"}, "facts": {}, "skipped": False, "warnings": ["b"], "timings": {}}


class Impatient(Reporter):
    """Ends a run at its first epoch."""

    def __init__(self):
        self.messages = []

    def info(self, message):
        self.messages.append(message)

    def on_epoch(self, number, metric):
        raise InterruptedError(f"epoch {number}: {metric}")


class Patient(Impatient):
    def on_epoch(self, number, metric):
        self.messages.append((number, metric))


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Starts two processes that share the work of ``shared_work``."""
    monkeypatch.setenv("PYTHONPATH", str(SUPPORT))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("RAYON_NUM_THREADS", raising=False)

    def start(reporter, stdout=None, handed=None, **options):
        given = WorkOptions(folder=tmp_path, **options)
        surroundings = {"workdir": tmp_path, "force": True, "reporter": reporter}
        return launch("shared_work:work", given, **surroundings, count=2, handed=handed, stdout=stdout)

    return start


def test_the_first_process_reports_and_gives_the_result(call, tmp_path):
    reporter, printed = Patient(), io.StringIO()
    result = call(reporter, printed, {"more": "é"}, names=("é", "b"))
    threads = [str(max(1, len(os.sched_getaffinity(0)) // 2))]
    facts = {"names": ["é", "b"], "force": True, "threads": threads}
    assert result == Result("work", {"work": tmp_path / "work"}, facts, warnings=("mind this",), timings={"total": 1.0})
    assert reporter.messages == ["process 0 of 2", (1, 0.5)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1"]
    assert printed.getvalue() == "printed by 0: é\n"


def test_options_that_no_process_can_be_told_are_refused(call, tmp_path):
    with pytest.raises(UsageError, match="too long"):
        call(Patient(), names=[f"user {number}" for number in range(10_000)])
    assert not list(tmp_path.iterdir())


def test_what_the_reporter_raises_ends_the_processes(call, tmp_path):
    began = time.monotonic()
    with pytest.raises(InterruptedError, match=r"epoch 1: 0\.5"):
        call(Impatient(), sleep=300)
    assert time.monotonic() - began < 100
    for number in (path.read_text() for path in tmp_path.iterdir()):
        assert not number or not _runs(int(number))  # empty: ended before it wrote


CALL = """
import sys
from pathlib import Path
from shared_work import WorkOptions
from stages.frame.processes.launch import launch
from stages.frame.reporter import Reporter
folder = Path(sys.argv[1])
options = WorkOptions(folder=folder, sleep=300)
launch("shared_work:work", options, workdir=folder, force=True, reporter=Reporter(), count=2)
"""


def test_none_outlives_the_caller(tmp_path):
    path = os.pathsep.join([str(SUPPORT), str(SUPPORT.parents[1])])
    command = [sys.executable, "-c", CALL, str(tmp_path)]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}) as caller:
        numbers = [_number(tmp_path / rank) for rank in ("0", "1")]
        assert all(_runs(number) for number in numbers)
        caller.kill()
    end = time.monotonic() + 20
    while any(_runs(number) for number in numbers) and time.monotonic() < end:
        time.sleep(0.02)
    assert not any(_runs(number) for number in numbers)


def _number(path):
    """What a process has left in a file, as soon as it is there."""
    end = time.monotonic() + 120
    while not (path.exists() and path.read_text()) and time.monotonic() < end:
        time.sleep(0.02)
    return int(path.read_text())


def _runs(process):
    """Whether a process is there and works; one that nobody has waited for does not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def ending(*events, count=3, any_count=True):
    found = Ending(count, any_count=any_count)
    for event in events:
        found.hear(event)
    return found


LOST = {"rank": 0, "error": "ProcessError", "message": "process 0 of 3 lost the others", "hint": "again"}


def test_a_result_is_given():
    given = ending({"rank": 0, "result": RESULT}).result("")
    assert given == Result("train", {"a": Path("w/a")}, {}, warnings=("b",))


@pytest.mark.parametrize("before", [[], [LOST]])
def test_a_process_that_was_killed_is_named(before):
    found = ending(*before, {"ended": {"0": 1, "2": -signal.SIGKILL} if before else {"2": -signal.SIGKILL}})
    with pytest.raises(ProcessError, match="process 2 of 3 was ended by SIGKILL") as raised:
        found.result("\n  what torch says of it")
    assert raised.value.exit_code == 1
    assert raised.value.message == "process 2 of 3 was ended by SIGKILL"
    assert "memory is short" in raised.value.hint and "another number" in raised.value.hint
    with pytest.raises(ProcessError) as raised:
        ending({"ended": {"2": -signal.SIGTERM}}, any_count=False).result("")
    assert raised.value.hint == "The same command goes on from the work that is finished."


def test_one_that_ends_by_itself_is_told_with_what_it_printed():
    with pytest.raises(ProcessError, match="process 1 of 3 ended with exit code 7\n  last words"):
        ending({"ended": {"1": 7}}).result("\n  last words")
    with pytest.raises(ProcessError, match="process 1 of 3 was ended by SIGABRT\n  last words"):
        ending({"ended": {"1": -signal.SIGABRT}}).result("\n  last words")


def test_what_a_process_raises_is_raised_here():
    told = {"rank": 1, "error": "DataError", "message": "a file", "hint": "mend it"}
    with pytest.raises(DataError) as raised:
        ending(LOST, told, {"ended": {"1": 3}}).result("")
    assert (raised.value.message, raised.value.hint) == ("a file", "mend it")


def test_a_bug_is_raised_with_its_traceback():
    told = {"rank": 1, "bug": "KeyError", "message": "'x'", "trace": "Traceback of the other process"}
    with pytest.raises(RuntimeError, match="process 1 of 3: KeyError: 'x'") as raised:
        ending(told, {"ended": {"1": 1}}).result("")
    assert "Traceback of the other process" in str(raised.value.__cause__)
    with pytest.raises(MemoryError):
        ending({**told, "bug": "MemoryError"}).result("")


def test_one_that_waited_in_vain_is_told_where_nobody_else_is():
    with pytest.raises(ProcessError, match="lost the others"):
        ending(LOST, {"ended": {"0": 1}}).result("")


def test_the_end_of_the_program_that_watches_over_them_is_told():
    with pytest.raises(ProcessError, match="watches over the 3 processes was ended by SIGKILL") as raised:
        ending().result("", -signal.SIGKILL)
    assert "The same command goes on" in raised.value.hint and "memory is short" in raised.value.hint


def test_none_that_could_be_started_is_told():
    with pytest.raises(ProcessError, match="could not be started\n  why"):
        ending().result("\n  why")
