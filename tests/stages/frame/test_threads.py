"""Threads inside and outside of the block, of what is loaded before and within."""

import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
import torch
from threadpoolctl import threadpool_info

from stages.frame import threads as module
from stages.frame.threads import available, busy_note, threads

assert np.linalg.eigh(np.eye(3))[0].any()  # BLAS is loaded


def _counts() -> dict[str, int]:
    return {library["filepath"]: library["num_threads"] for library in threadpool_info()}


def test_all_libraries_are_limited_and_get_their_threads_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    torch.set_num_threads(3)
    before = _counts(), torch.get_num_threads(), pa.cpu_count(), available()
    with threads(2):
        assert set(_counts().values()) == {2}
        assert (torch.get_num_threads(), pa.cpu_count(), available()) == (2, 2, 2)
        assert os.environ["OMP_NUM_THREADS"] == "2"
        with threads(1):
            assert set(_counts().values()) == {1}
            assert (torch.get_num_threads(), available()) == (1, 1)
        assert (torch.get_num_threads(), available()) == (2, 2)
    assert (_counts(), torch.get_num_threads(), pa.cpu_count(), available()) == before
    assert "OMP_NUM_THREADS" not in os.environ


def test_without_a_number_nothing_changes() -> None:
    before = _counts(), torch.get_num_threads(), dict(os.environ)
    with threads(None):
        assert (_counts(), torch.get_num_threads(), dict(os.environ)) == before


def test_an_error_gives_the_threads_back() -> None:
    before = _counts(), torch.get_num_threads()
    with pytest.raises(ValueError, match="x"), threads(1):
        raise ValueError("x")
    assert (_counts(), torch.get_num_threads()) == before


LOADED_INSIDE = """
import sys
from stages.frame.threads import threads
with threads(1):
    assert not {"torch", "numpy", "pyarrow"} & set(sys.modules), "loaded for the limit"
    import torch, numpy
    numpy.ones((3, 3)) @ numpy.ones((3, 3))
    from threadpoolctl import threadpool_info
    assert {library["num_threads"] for library in threadpool_info()} == {1}, threadpool_info()
    assert torch.get_num_threads() == 1
assert torch.get_num_threads() == 2, torch.get_num_threads()
"""


def test_what_is_loaded_inside_is_limited_too() -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", LOADED_INSIDE], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("load", "asked", "in_environment", "said"),
    [
        (2.6, None, None, "--threads 5 may be faster"),
        (20.0, None, None, "--threads 1 may be faster"),
        (0.3, None, None, None),
        (20.0, 8, None, None),
        (20.0, None, "2", None),
    ],
)
def test_that_others_use_the_cores_is_told(monkeypatch, load, asked, in_environment, said) -> None:
    monkeypatch.setattr(module, "_cores", lambda: 8)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if in_environment:
        monkeypatch.setenv("OMP_NUM_THREADS", in_environment)
    found = busy_note(asked)
    assert found is None if said is None else found.endswith(said)
