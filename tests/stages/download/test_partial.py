from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stages.download.partial import Origin, Partial

ORIGIN = Origin("https://host/a", '"tag"', "Mon, 01 Jan 2024 00:00:00 GMT", 9, None)


@pytest.fixture
def partial(tmp_path: Path) -> Partial:
    return Partial(tmp_path / "a.gz")


def test_the_tag_is_preferred_to_the_date() -> None:
    assert ORIGIN.validator == '"tag"'
    assert replace(ORIGIN, etag=None).validator == ORIGIN.last_modified
    assert replace(ORIGIN, etag=None, last_modified=None).validator is None


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({}, True),
        ({"url": "https://mirror/a", "sha256": "0"}, True),
        ({"etag": None}, True),
        ({"etag": None, "last_modified": None, "size": None}, True),
        ({"etag": '"other"'}, False),
        ({"last_modified": "Tue, 02 Jan 2024 00:00:00 GMT"}, False),
        ({"size": 8}, False),
        ({"etag": None, "size": 0}, False),
    ],
)
def test_versions_differ_in_what_both_tell(changed: dict[str, Any], same: bool) -> None:
    other = replace(ORIGIN, **changed)
    assert (ORIGIN.is_version_of(other), other.is_version_of(ORIGIN)) == (same, same)


def test_what_is_begun_is_known_to_the_next_run(partial: Partial, tmp_path: Path) -> None:
    assert (partial.size, partial.origin()) == (0, None)
    partial.begin(ORIGIN)
    partial.path.write_bytes(b"abc")
    again = Partial(tmp_path / "a.gz")
    assert again.path == tmp_path / "a.gz.part"
    assert (again.size, again.origin()) == (3, ORIGIN)
    again.begin(replace(ORIGIN, size=5))
    assert (partial.size, partial.origin()) == (0, replace(ORIGIN, size=5))


def test_nothing_stays_behind(partial: Partial, tmp_path: Path) -> None:
    partial.forget()
    partial.finished()
    partial.begin(ORIGIN)
    partial.forget()
    assert not list(tmp_path.iterdir())
    partial.begin(ORIGIN)
    partial.path.replace(tmp_path / "a.gz")
    partial.finished()
    assert [path.name for path in tmp_path.iterdir()] == ["a.gz"]


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"3", b'{"url": "x", "more": 1}', b"\xff"])
def test_a_note_that_cannot_be_read_tells_nothing(partial: Partial, text: bytes) -> None:
    partial.begin(ORIGIN)
    partial.path.with_name("a.gz.part.json").write_bytes(text)
    assert partial.origin() is None
