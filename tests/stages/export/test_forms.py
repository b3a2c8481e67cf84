import pytest
import torch
from whole_histories import write_histories

from stages.artifacts.errors import CocorecError, DataError, UsageError
from stages.artifacts.names import HISTORIES, ITEMS, MODEL_WEIGHTS
from stages.export import programs
from stages.export.forms import Exporter
from stages.export.options import ExportOptions
from stages.frame.run import StageRun
from stages.model.files import load_model


def exporter(workdir, *formats, **options):
    run = StageRun("export", ExportOptions(device="cpu", **options), workdir, None)
    run.read(ITEMS, MODEL_WEIGHTS, HISTORIES)
    model = load_model(workdir, torch.device("cpu")).model
    return Exporter(model, ExportOptions(device="cpu", **options), run, formats)


def test_only_what_was_asked_for_is_made(trained_once, tmp_path):
    manifest = exporter(trained_once, "index", index="hnsw", top=5).write(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "index.faiss"]
    assert manifest["index"]["kind"] == "hnsw" and manifest["index"]["recall"] == 1
    assert "encoder" not in manifest and set(manifest["differences"]) == {"scores"}


def test_a_program_that_differs_is_not_exported(trained_once, tmp_path, monkeypatch):
    monkeypatch.setattr(programs, "run_torch", lambda path, items: programs.np.zeros((len(items), 16), "float32"))
    with pytest.raises(CocorecError, match=r"user_encoder\.pt2 differs from the model"):
        exporter(trained_once, "torch").write(tmp_path)


def test_nobody_with_a_history(trained):
    write_histories(trained, {"u": []})
    with pytest.raises(DataError, match="holds no history"):
        exporter(trained, "vectors")


def test_a_recall_beyond_the_catalogue(trained_once):
    with pytest.raises(UsageError, match="--top must be from 1 to 60"):
        exporter(trained_once, "index", top=61)
