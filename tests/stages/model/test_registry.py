"""Every line of the registry leads to a class that follows the protocol."""

import subprocess
import sys
from pathlib import Path

import pytest

from stages.artifacts.errors import UsageError
from stages.artifacts.names import CODES, EMBEDDINGS, ITEMS
from stages.model.backbone import Backbone
from stages.model.base import Model
from stages.model.registry import BACKBONES, MODELS, backbone_class, choices_help, model_class, needed_files

FOLDER = Path(__file__).parents[3] / "stages" / "model"


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_a_class_in_a_file_of_its_name(name):
    found = model_class(name)
    assert issubclass(found, Model)
    assert not found.__abstractmethods__
    assert found.__module__ == f"stages.model.{name}"
    assert needed_files(name) == found.reads
    assert set(found.reads) <= {EMBEDDINGS, CODES, ITEMS}
    assert found.reads


@pytest.mark.parametrize("name", BACKBONES)
def test_a_backbone_is_a_class_in_a_file_of_its_name(name):
    found = backbone_class(name)
    assert issubclass(found, Backbone)
    assert not found.__abstractmethods__
    assert found.__module__ == f"stages.model.{name}"


def test_unknown_names_list_the_known_ones():
    with pytest.raises(UsageError, match=r"--model 'bert' is unknown\nChoose one of cocorec, .*popularity"):
        model_class("bert")
    with pytest.raises(UsageError, match=r"--backbone 'rnn' is unknown\nChoose one of transformer"):
        backbone_class("rnn")


def test_the_help_has_every_name_and_what_it_is():
    text = choices_help(MODELS)
    assert all(f"{name}: {entry.summary}" in text for name, entry in MODELS.items())


def test_names_and_help_need_no_heavy_library():
    code = (
        "import sys, stages.model, stages.model.registry, stages.model.config\n"
        "heavy = {'torch', 'numpy', 'pyarrow'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert stages.model.ModelConfig is stages.model.config.ModelConfig\n"
        "assert stages.model.Recommender.__name__ == 'Recommender'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_no_file_but_a_model_s_own_names_a_model():
    """What a model needs or does is asked of its class, so that a new one is one file and one line."""
    own = {f"{name}.py" for name in MODELS} | {"registry.py"}
    for folder in (FOLDER, FOLDER.parent / "train", FOLDER.parent / "evaluate", FOLDER.parent / "tune"):
        for path in folder.rglob("*.py"):
            if path.name in own:
                continue
            for line in path.read_text().splitlines():
                code = line.partition("#")[0]
                named = [name for name in MODELS if f'== "{name}"' in code or f'in ("{name}"' in code]
                assert not named, f"{path}: {line.strip()}"
