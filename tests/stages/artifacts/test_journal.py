import json
from pathlib import Path

import pytest

from stages.artifacts.errors import DataError
from stages.artifacts.journal import JournalChecks, check_journal, guarded_lines

LOGS = [{"op_code": 0, "study": "a"}, {"op_code": 5, "value": 0.25, "text": 'x"}\n'}, {"op_code": 6, "values": [0.5]}]
EARLIER = b'{"op_code":0,"study":"a"}\n'


def written(folder: Path, earlier: bytes = b"") -> Path:
    path = folder / "study.jsonl"
    path.write_bytes(earlier + guarded_lines(JournalChecks(earlier), LOGS))
    return path


def test_a_line_is_the_object_with_a_check(tmp_path):
    lines = [json.loads(line) for line in written(tmp_path).read_text().splitlines()]
    assert [{name: value for name, value in line.items() if name != "check"} for line in lines] == LOGS


def test_whole_journals(tmp_path):
    for earlier in (b"", EARLIER):  # lines of an earlier version have no check
        path = written(tmp_path, earlier)
        assert check_journal(path) == path.stat().st_size
    path.write_bytes(EARLIER)
    assert check_journal(path) == len(EARLIER)
    path.write_bytes(b"")
    assert check_journal(path) == 0


def test_checks_go_on_where_the_journal_ends(tmp_path):
    path = written(tmp_path)
    whole = path.read_bytes()
    first = guarded_lines(JournalChecks(), LOGS[:1])
    assert first + guarded_lines(JournalChecks(first), LOGS[1:]) == whole


def test_every_flipped_bit_is_found_and_its_line_is_named(tmp_path):
    for earlier in (b"", EARLIER):
        path = written(tmp_path, earlier)
        whole = path.read_bytes()
        for place in range(len(whole)):
            content = bytearray(whole)
            content[place] ^= 1 << place % 8
            path.write_bytes(content)
            with pytest.raises(DataError, match=r"study\.jsonl is damaged: line \d+ is not") as error:
                check_journal(path)
            assert "--no-resume" in str(error.value.hint)


def test_lines_that_are_gone_or_elsewhere(tmp_path):
    path = written(tmp_path)
    first, second, third = path.read_bytes().splitlines(keepends=True)
    for content in (second + third, first + third, second + first + third, first + first + second):
        path.write_bytes(content)
        with pytest.raises(DataError, match="is damaged: line"):
            check_journal(path)


def test_a_line_that_was_not_finished_is_left_out(tmp_path):
    path = written(tmp_path)
    whole = path.read_bytes()
    start = whole[:-1].rfind(b"\n") + 1
    for end in range(start, len(whole)):
        path.write_bytes(whole[:end])
        assert check_journal(path) == start


def test_what_is_no_journal(tmp_path):
    path = tmp_path / "study.jsonl"
    for content in (b"\n", b"[1]\n", b"{\n", b"\xff\n", b"[" * 100_000 + b"\n"):
        path.write_bytes(content)
        with pytest.raises(DataError, match="line 1 is not what was written"):
            check_journal(path)
