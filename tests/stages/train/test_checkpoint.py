"""What a checkpoint says of itself, and what becomes of one that other versions made."""

import json

import pytest
import torch
from recording import Recorder
from safetensors import safe_open
from safetensors.torch import load_file

from stages import __version__
from stages.artifacts.names import CHECKPOINT_DIR, HISTORY, MODEL_CONFIG, MODEL_WEIGHTS
from stages.model.files import save_tensors
from stages.train import TrainOptions, train
from stages.train.checkpoint import Progress

LAST = f"{CHECKPOINT_DIR}/last.safetensors"


@pytest.fixture
def short(small):
    """Options of a short run."""
    return {**small, "model": "sasrec", "epochs": 2}


def progress(path):
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["progress"])


def killed_before_the_end(workdir):
    """Only the checkpoint is there."""
    for name in (MODEL_CONFIG, MODEL_WEIGHTS, HISTORY):
        (workdir / name).unlink()


def made_by(path, **versions):
    """Let a checkpoint and its best weights be of other versions."""
    for each in path.parent.glob("*.safetensors"):
        values = {**progress(each), "versions": versions}
        save_tensors(each, load_file(each), {"progress": json.dumps(values)})


def test_equal_runs_give_equal_checkpoints(structured, short):
    found = []
    for _ in range(3):
        train(TrainOptions(**short), workdir=structured, force=True)
        found.append({path.name: path.read_bytes() for path in (structured / CHECKPOINT_DIR).iterdir()})
    assert found[0] == found[1] == found[2] and len(found[0]) == 2


def test_it_says_which_versions_made_it(structured, short):
    train(TrainOptions(**short), workdir=structured)
    assert progress(structured / LAST)["versions"] == {"cocorec": __version__, "torch": torch.__version__}
    assert Progress("key").foreign == ""


@pytest.mark.parametrize("versions", [{"cocorec": "0.1.0", "torch": torch.__version__}, {}])
def test_that_of_other_versions_is_not_continued_unless_asked_for(structured, short, versions):
    train(TrainOptions(**short), workdir=structured)
    undisturbed = (structured / MODEL_WEIGHTS).read_bytes()
    made_by(structured / LAST, **versions)
    killed_before_the_end(structured)
    heard = Recorder()
    train(TrainOptions(**short), workdir=structured, reporter=heard)
    named = "cocorec 0.1.0" if versions else "an earlier version"
    assert any(named in message and "not continued" in message for message in heard.said)
    assert any(message.startswith("epoch 1:") for message in heard.said)
    assert (structured / MODEL_WEIGHTS).read_bytes() == undisturbed

    made_by(structured / LAST, **versions)
    killed_before_the_end(structured)
    heard = Recorder()
    train(TrainOptions(**{**short, "resume": True}), workdir=structured, reporter=heard)
    assert any(named in message and "may differ" in message for message in heard.said)
    assert not any(message.startswith("epoch 1:") for message in heard.said)


def test_best_weights_of_a_killed_save_do_not_stay(structured, short):
    train(TrainOptions(**short), workdir=structured)
    before = sorted(path.name for path in (structured / CHECKPOINT_DIR).iterdir())
    stray = structured / CHECKPOINT_DIR / "best-00009.safetensors"
    stray.write_bytes(b"of an epoch whose state was never written")
    killed_before_the_end(structured)
    train(TrainOptions(**short), workdir=structured)
    assert sorted(path.name for path in (structured / CHECKPOINT_DIR).iterdir()) == before


def test_it_says_how_many_processes_shared_an_epoch():
    alone, mixed = Progress("key"), Progress("key")
    for alone.epoch, mixed.epoch, count in ((1, 1, 1), (2, 2, 2), (3, 3, 1)):
        alone.note_processes(1)
        mixed.note_processes(count)
    assert (alone.processes, mixed.processes) == ([], [1, 2, 1])


def test_one_process_says_nothing_of_others(structured, short):
    train(TrainOptions(**short), workdir=structured)
    assert "processes" not in progress(structured / LAST)
