"""What the beginning of a file tells."""

import os
from pathlib import Path

import pytest

from stages.artifacts.errors import DataError
from stages.preprocess.sources.sample import file_names, take_sample


@pytest.mark.timeout(60)
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(DataError, match="is a pipe or a device, not a file"):
            take_sample(path)


def test_many_files_are_named_by_the_first_ones(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"{number}.csv").write_text("user_id,item_id\n1,2\n")
    samples = [take_sample(tmp_path / f"{number}.csv") for number in range(5)]
    assert file_names(samples[:3]) == "0.csv, 1.csv, 2.csv"
    assert file_names(samples) == "0.csv, 1.csv, 2.csv and 2 more"
