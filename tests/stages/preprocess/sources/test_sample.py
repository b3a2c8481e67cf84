"""What the beginning of a file tells."""

import os
from pathlib import Path

import pytest

from stages.artifacts.errors import DataError
from stages.preprocess.sources.sample import take_sample


@pytest.mark.timeout(60)
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(DataError, match="is a pipe or a device, not a file"):
            take_sample(path)
