"""The programs as another system has them: read by torch or onnxruntime in a process that knows nothing of cocorec."""

import subprocess
import sys

import numpy as np
import onnx
import pyarrow.parquet as pq
import pytest

from stages.artifacts.errors import UsageError
from stages.export import programs
from stages.export.encoder import UserEncoder

TORCH = """
import torch
program = torch.export.load("user_encoder.pt2").module()
vectors = [program(torch.from_numpy(part)).detach().numpy() for part in parts]
"""

ONNX = """
import onnxruntime
session = onnxruntime.InferenceSession("user_encoder.onnx", providers=["CPUExecutionProvider"])
vectors = [session.run(["vector"], {"items": part})[0] for part in parts]
"""

AROUND = """
import sys
import numpy
rows = numpy.load("rows.npy")
parts = [rows[:1], rows[1:3], rows[3:]]
{}
numpy.save("vectors.npy", numpy.concatenate(vectors))
assert "stages" not in sys.modules
"""


@pytest.mark.parametrize("code", [TORCH, ONNX], ids=["torch", "onnxruntime"])
def test_it_runs_without_cocorec(exported, code):
    folder = exported / "export"
    users = pq.read_table(folder / "user_vectors.parquet")
    histories = users["items"].to_pylist()
    left, right = np.zeros((2, len(histories), 6), np.int64)
    for row, history in enumerate(histories):
        left[row, 6 - len(history) :] = right[row, : len(history)] = history
    np.save(folder / "rows.npy", np.concatenate([left, right]))
    done = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", "-c", AROUND.format(code)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    expected = np.stack(users["vector"].to_numpy())
    np.testing.assert_allclose(np.load(folder / "vectors.npy"), np.concatenate([expected, expected]), atol=1e-5)


def test_what_goes_in_and_out_is_as_documented(exported_once):
    model = onnx.load(exported_once / "export" / "user_encoder.onnx")
    onnx.checker.check_model(model)
    [given], [made] = model.graph.input, model.graph.output
    assert (given.name, made.name) == ("items", "vector")
    shapes = [[d.dim_param or d.dim_value for d in one.type.tensor_type.shape.dim] for one in (given, made)]
    assert shapes == [["batch", 6], ["batch", 16]]
    assert [one.type.tensor_type.elem_type for one in (given, made)] == [onnx.TensorProto.INT64, onnx.TensorProto.FLOAT]


def test_no_path_of_this_machine_stands_in_them(exported_once):
    root = str(programs.__file__).partition("/stages/")[0].encode()
    for name in ("user_encoder.pt2", "user_encoder.onnx"):
        content = (exported_once / "export" / name).read_bytes()
        assert root not in content and b"site-packages" not in content


def test_more_vectors_than_a_file_of_onnx_holds_are_refused(reader, tmp_path, monkeypatch):
    encoder = UserEncoder(reader.model, reader.history_table)
    monkeypatch.setattr(programs, "_LARGEST", 1000)
    with pytest.raises(UsageError, match="do not fit into a file of ONNX"):
        programs.write_onnx(encoder, tmp_path / "e.onnx")
    assert not list(tmp_path.iterdir())
