"""The examples that use an export without cocorec, run as somebody runs them, against the model."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from exporting import LENGTH, trained_in

from stages.artifacts.histories import read_histories
from stages.artifacts.names import HISTORIES
from stages.export import ExportOptions, export
from stages.recommend import Recommender

SERVING = Path(__file__).resolve().parents[2] / "examples" / "serving"
FORMATS = ("vectors", "index", "onnx")


@pytest.fixture(scope="module", params=[True, False], ids=["with repeat bias", "without"])
def workdir(make_structured, tmp_path_factory, request):
    folder = make_structured(tmp_path_factory.mktemp("serving") / "artifacts")
    trained_in(folder, repeat_bias=request.param, model="text")
    export(ExportOptions(formats=FORMATS, device="cpu"), workdir=folder)
    return folder


def run(name, workdir, *args):
    """What a program of the examples prints: items and scores. Cocorec is not to be found."""
    # A copy, so that the repository is not on its path.
    program = shutil.copy(SERVING / name, workdir / name)
    blocked = "import sys; sys.modules.update(stages=None, cocorec_cli=None, torch=None); "
    code = f"{blocked}import runpy; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    command = [sys.executable, "-I", "-c", code, program, workdir / "export", *args]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, cwd=workdir)
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"(-?\d\.\d{6})  (\S+)\n", done.stdout)
    return [item for _, item in rows], np.array([float(score) for score, _ in rows])


def test_they_rank_as_the_model_does(workdir):
    histories = read_histories(workdir / HISTORIES)
    recommender = Recommender.load(workdir, device="cpu")
    ids = recommender.items.ids.to_pylist()
    # All of it is read, so that all of it counts as seen.
    row = int(np.flatnonzero(np.diff(histories.offsets) <= LENGTH)[0])
    low, high = histories.offsets[row : row + 2]
    history = [ids[item - 1] for item in histories.items[low:high]]
    [expected] = recommender.recommend([history], 10)
    assert recommender.model.knows_repeats or not set(history) & set(expected.item_ids)
    # The encoder is given an id that is not in the catalogue, too.
    for items, scores in (
        run("search_index.py", workdir, histories.user_ids[row].as_py(), "10"),
        run("onnx_encoder.py", workdir, "unheard-of", *history),
    ):
        assert items == expected.item_ids
        np.testing.assert_allclose(scores, expected.scores, atol=1e-5)


def test_a_user_who_is_not_there(workdir):
    with pytest.raises(AssertionError, match="there is no user nobody"):
        run("search_index.py", workdir, "nobody")
