import hashlib
import json
from pathlib import Path

import pytest

from stages.artifacts.copies import NOTE, check_copy, known_origin, note_origin
from stages.artifacts.errors import DataError

ORIGIN = {"url": "https://host/log.csv", "size": 3, "etag": None}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    path = tmp_path / "log.csv"
    path.write_bytes(b"abc")
    note_origin(path, ORIGIN)
    return path


@pytest.fixture
def note(copy: Path) -> Path:
    return copy.with_name(copy.name + NOTE)


def test_the_origin_is_read_as_it_was_noted(copy: Path, note: Path) -> None:
    assert known_origin(copy) == ORIGIN
    assert json.loads(note.read_text())["sha256"] == hashlib.sha256(b"abc").hexdigest()
    check_copy(copy)
    check_copy(note)


def test_a_changed_copy_is_refused_and_its_origin_unknown(copy: Path, note: Path) -> None:
    copy.write_bytes(b"abd")
    assert known_origin(copy) == {}
    with pytest.raises(DataError, match="is damaged: its bytes are not those that came") as caught:
        check_copy(copy)
    assert "`cocorec preprocess` fetches it again" in (caught.value.hint or "")
    check_copy(note)  # nothing is wrong with the note
    note_origin(copy, ORIGIN)
    check_copy(copy)


def test_a_changed_note_is_refused(copy: Path, note: Path) -> None:
    note.write_bytes(note.read_bytes().replace(b"host", b"hose"))
    assert known_origin(copy) == {}
    for path in (copy, note):
        with pytest.raises(DataError, match=NOTE):
            check_copy(path)


@pytest.mark.parametrize("text", ["[]", "{}", "3", "no JSON"])
def test_a_note_of_another_making_tells_nothing(copy: Path, note: Path, text: str) -> None:
    note.write_text(text)
    assert known_origin(copy) == {}
    with pytest.raises(DataError):
        check_copy(copy)


def test_without_note_or_copy_nothing_is_known(copy: Path, note: Path) -> None:
    content = copy.read_bytes()
    copy.unlink()
    assert known_origin(copy) == {}
    with pytest.raises(DataError, match=r"cannot read .*log\.csv"):
        note_origin(copy, ORIGIN)
    copy.write_bytes(content)
    note.unlink()
    assert known_origin(copy) == {}
