"""What is named on the command line, and what a data set on disk names itself: no path leads elsewhere or hangs."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stages.artifacts.errors import DataError
from stages.preprocess.sources.paths import find_files
from stages.preprocess.sources.sample import take_sample


def found(*named: Path, workdir: Path) -> list[Path]:
    return find_files(named, "log", workdir, 10**6)


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read x+: File name too long"):
        found(Path("x" * 300), workdir=tmp_path)


@pytest.mark.timeout(60)
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(DataError, match="is a pipe or a device, not a file"):
            take_sample(path)


@pytest.mark.parametrize(
    "name", ["../outside.arrow", "/etc/hostname", "..", ".", "", "a/b.arrow", "a\0b", None, 5, ["a"]]
)
def test_a_data_set_names_its_own_files_alone(tmp_path: Path, name: Any) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (tmp_path / "outside.arrow").write_bytes(b"secret")
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}))
    with pytest.raises(DataError, match="is not the name of something in this folder"):
        found(folder, workdir=tmp_path)
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": [name]}))
    with pytest.raises(DataError, match="is not the name of something in this folder"):
        found(folder, workdir=tmp_path)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.sampled_from(["full", "a.arrow"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["_data_files", "filename", "splits", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(state=_JSON, splits=st.none() | _JSON)
def test_no_description_of_a_data_set_leads_to_a_traceback(tmp_path: Path, state: Any, splits: Any) -> None:
    (tmp_path / "full").mkdir(exist_ok=True)
    for folder in (tmp_path, tmp_path / "full"):
        (folder / "state.json").write_text(json.dumps(state))
    (tmp_path / "dataset_dict.json").unlink(missing_ok=True)
    if splits is not None:
        (tmp_path / "dataset_dict.json").write_text(json.dumps(splits))
    try:
        files = found(tmp_path, workdir=tmp_path)
    except DataError:
        return
    assert all(path.parent in (tmp_path, tmp_path / "full") for path in files)
