import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from exporting import trained_in
from growth import grow

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.names import MODEL_CARD, MODEL_WEIGHTS
from stages.export import ExportOptions, export
from stages.frame.reporter import Reporter
from stages.recommend import Recommender

EVERYTHING = {"export.json", "README.md", "item_vectors.parquet", "user_vectors.parquet", "index.faiss"}
EVERYTHING |= {"user_encoder.pt2", "user_encoder.onnx", "pair_bias.parquet"}
TABLES = ("item_vectors", "user_vectors", "pair_bias")


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_vectors_and_the_biases_rank_as_recommend_does(exported_once):
    folder = exported_once / "export"
    assert set(files(folder)) == EVERYTHING
    items, users, pairs = (pq.read_table(folder / f"{name}.parquet") for name in TABLES)
    described = json.loads((folder / "export.json").read_text())
    vectors, ids = np.stack(items["vector"].to_numpy()), items["item_id"].to_pylist()
    pairs = pairs.to_pylist()
    recommender = Recommender.load(exported_once, device="cpu")
    for row in range(0, 300, 23):
        history = users["items"][row].as_py()
        scores = vectors @ np.array(users["vector"][row].as_py(), np.float32) + items["bias"].to_numpy()
        for age, item in enumerate(history[::-1]):
            if item not in history[len(history) - age :]:
                scores[item - 1] += described["repeat_bias"][age]
            for pair in pairs if age < described["recent"] else ():
                if pair["item"] == item and pair["partner"] not in history:
                    scores[pair["partner"] - 1] += pair["bias"][age]
        older = users["older"][row].as_py()
        scores[np.array(older, int) - 1] += described["repeat_bias"][-1]
        [expected] = recommender.recommend([[ids[item - 1] for item in older + history]], 10)
        order = np.argsort(-scores, kind="stable")[:10]
        np.testing.assert_allclose(scores[order], expected.scores, atol=1e-5)
        assert [ids[place] for place in order] == expected.item_ids


def test_differences_and_recall_are_told(exported_once):
    manifest = json.loads((exported_once / "export" / "export.json").read_text())
    assert set(manifest["differences"]) == {"scores", "user_encoder.pt2", "user_encoder.onnx"}
    assert all(value <= 1e-5 for value in manifest["differences"].values())
    assert manifest["index"]["recall"] == 1


def test_equal_exports_are_equal_bytes_and_the_second_is_not_made(exported, tmp_path):
    left = exported / "export" / ".export.tmp-000000000000"  # of a run that was killed when its files were in place
    left.mkdir()
    again = export(ExportOptions(device="cpu"), workdir=exported)
    assert not left.exists()
    assert again.skipped and MODEL_CARD in again.outputs
    made = export(ExportOptions(device="cpu", output=tmp_path / "out"), workdir=exported)
    assert not made.skipped
    assert files(tmp_path / "out") == files(exported / "export")


def test_other_formats_take_the_place_of_the_former(exported):
    result = export(ExportOptions(formats=("index",), device="cpu"), workdir=exported)
    assert set(files(exported / "export")) == {"export.json", "README.md", "index.faiss"}
    assert not result.skipped and result.facts["index"]["recall"] == 1


def test_new_items_are_exported_as_they_are_recommended(trained):
    grow(trained)
    result = export(ExportOptions(formats=("vectors", "torch"), device="cpu"), workdir=trained)
    assert "2 items came after cocorec was trained" in result.warnings[0]
    assert pq.read_table(trained / "export" / "item_vectors.parquet")["item_id"].to_pylist()[-2:] == ["new-a", "new-b"]


@pytest.mark.parametrize("model", ["popularity", "transitions", "cooccurrence"])
def test_a_model_without_vectors_is_refused(make_structured, tmp_path, model):
    workdir = trained_in(make_structured(tmp_path / "w"), model=model)
    with pytest.raises(UsageError, match=f"the model {model} has no vectors to export") as caught:
        export(ExportOptions(device="cpu"), workdir=workdir)
    assert caught.value.exit_code == 2 and not (workdir / "export").exists()
    export(ExportOptions(formats=("card",), device="cpu"), workdir=workdir)
    assert f"# A sequential recommender: {model}" in (workdir / MODEL_CARD).read_text()


def test_a_model_without_repeat_bias(make_structured, tmp_path):
    workdir = trained_in(
        make_structured(tmp_path / "w"), model="sasrec", repeat_bias=False, cooccurrence_bias=False, epochs=1
    )
    export(ExportOptions(formats=("vectors", "torch"), device="cpu"), workdir=workdir)
    assert json.loads((workdir / "export" / "export.json").read_text())["repeat_bias"] == []


class Replacing(Reporter):
    """Puts another model in the place of the one that is being exported."""

    def __init__(self, workdir, other):
        self._weights = workdir / MODEL_WEIGHTS, other / MODEL_WEIGHTS

    def track(self, what, total, unit):
        shutil.copyfile(self._weights[1], self._weights[0])
        return super().track(what, total, unit)


def test_a_model_that_is_replaced_in_the_midst_is_told(exported, make_structured, tmp_path):
    other = trained_in(make_structured(tmp_path / "other"), seed=1, epochs=1)
    before = files(exported / "export")
    options = ExportOptions(formats=("vectors",), device="cpu")
    with pytest.raises(DataError, match=r"model\.safetensors was replaced while it was exported; nothing was changed"):
        export(options, workdir=exported, reporter=Replacing(exported, other))
    assert files(exported / "export") == before


def test_onnx_is_left_out_aloud_where_it_is_not_installed(trained, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    result = export(ExportOptions(device="cpu"), workdir=trained)
    assert "onnxruntime not installed" in result.warnings[0]
    assert set(files(trained / "export")) == EVERYTHING - {"user_encoder.onnx"}
    with pytest.raises(UsageError, match="--formats onnx needs onnxruntime"):
        export(ExportOptions(formats=("onnx",), device="cpu"), workdir=trained)
