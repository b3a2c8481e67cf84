import resource
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from stages.artifacts.atomic import remove_leftovers
from stages.artifacts.errors import DataError
from stages.embed.text_file import TextFile, read_text

TEXTS = ["steel nail", "", "Säge – 12 €", "螺丝", "a"]


def test_texts_are_read_back_in_any_order(tmp_path: Path) -> None:
    with TextFile(tmp_path / "not" / "there" / "yet") as file:
        file.append([text.encode() for text in TEXTS[:2]])
        file.append([])
        file.append([text.encode() for text in TEXTS[2:]])
        bounds = file.finish()
        assert bounds.dtype == np.int64
        np.testing.assert_array_equal(np.diff(bounds), [len(text.encode()) for text in TEXTS])
        assert [file.read(*place) for place in reversed(list(pairwise(bounds.tolist())))] == TEXTS[::-1]


def test_no_texts_begin_and_end_at_zero(tmp_path: Path) -> None:
    with TextFile(tmp_path) as file:
        np.testing.assert_array_equal(file.finish(), [0])


def test_the_file_leaves_nothing_behind(tmp_path: Path) -> None:
    with TextFile(tmp_path) as file:
        file.append([b"x" * 3_000_000])
        file.finish()
        assert file.read(2_999_998, 3_000_000) == "xx"
    assert list(tmp_path.iterdir()) == []


def test_a_file_with_a_name_is_read_by_others_and_goes_with_the_process(tmp_path: Path) -> None:
    with TextFile(tmp_path, named=True) as file:
        file.append([text.encode() for text in TEXTS])
        bounds = file.finish()
        with file.path.open("rb") as other:
            assert read_text(other.fileno(), int(bounds[2]), int(bounds[3]), tmp_path) == TEXTS[2]
    assert list(tmp_path.iterdir()) == []
    with TextFile(tmp_path, named=True) as file:
        remove_leftovers(tmp_path)  # as the next command does where this one was killed
        assert not file.path.exists()
    with pytest.raises(DataError, match="cannot read back texts kept in"):
        read_text(-1, 0, 1, tmp_path)


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(DataError, match=r"cannot write in .*taken: .*\nMake room or choose a folder"):
        TextFile(tmp_path / "taken")


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with TextFile(tmp_path) as file:
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
            with pytest.raises(DataError, match=f"cannot write in {tmp_path}: "):
                file.append([b"x" * 3_000_000])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
