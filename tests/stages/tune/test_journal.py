import json

import pytest

from stages.artifacts.errors import DataError
from stages.artifacts.journal import check_journal
from stages.tune.journal import CheckedJournal


def test_lines_come_back_and_hold_against_their_checks(tmp_path):
    path = tmp_path / "study.jsonl"
    journal = CheckedJournal(path)
    journal.append_logs([{"op": 1}, {"op": 2}])
    journal.append_logs([])
    journal.append_logs([{"op": 3}])
    assert check_journal(path) == path.stat().st_size
    assert [log["op"] for log in journal.read_logs(0)] == [1, 2, 3]
    assert [log["op"] for log in journal.read_logs(2)] == [3]


def test_a_journal_is_made_when_missing(tmp_path):
    path = tmp_path / "study.jsonl"
    assert list(CheckedJournal(path).read_logs(0)) == []
    assert path.read_bytes() == b""


def test_a_second_process_goes_on_as_one_would(tmp_path):
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    CheckedJournal(one).append_logs([{"op": 1}, {"op": 2}, {"op": 3}])
    for number in (1, 2, 3):
        CheckedJournal(two).append_logs([{"op": number}])
    assert one.read_bytes() == two.read_bytes()


def test_lines_of_earlier_versions_stand_before(tmp_path):
    path = tmp_path / "study.jsonl"
    path.write_text(json.dumps({"op": 0}) + "\n")
    CheckedJournal(path).append_logs([{"op": 1}])
    assert check_journal(path) == path.stat().st_size
    path.write_bytes(path.read_bytes().replace(b'"op": 0', b'"op": 9'))
    with pytest.raises(DataError, match="line 2 is not what was written"):
        check_journal(path)
