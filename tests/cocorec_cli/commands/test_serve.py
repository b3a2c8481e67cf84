import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file
from served import serving
from whole_histories import write_histories

from stages.artifacts.lineage import Lineage
from stages.artifacts.names import INDEX, MODEL_WEIGHTS
from stages.frame.extras import how_to_install
from stages.model.files import read_config, save_model

BLOCKED = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {blocked!r}:
            raise ModuleNotFoundError("No module named " + name, name=name)

sys.meta_path.insert(0, Blocker())
from cocorec_cli.main import main
sys.exit(main(["serve"]))
"""


@pytest.mark.parametrize("library", ["fastapi", "uvicorn", "prometheus_client"])
def test_the_extra_that_is_missing_is_named(library, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED.format(blocked=library)], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: serve needs {library}, which is not installed\n")
    assert how_to_install("serve") in done.stderr


def test_what_cannot_be_served(cli, structured):
    for workdir in (structured, structured / "nothing"):
        ended = cli("serve", "--workdir", workdir, "--port=0")
        assert (ended.code, "hint: " in ended.err, "Traceback" in ended.err) == (3, True, False), ended
    shutil.rmtree(structured)
    assert cli("serve", "--top=20", "--max-top=10").code == 2


@pytest.fixture(scope="module")
def exported(tmp_path_factory, make_structured):
    """A trained work directory with an exact index."""
    from stages.export import ExportOptions, export
    from stages.train import TrainOptions, train

    folder = make_structured(tmp_path_factory.mktemp("exported") / "artifacts")
    write_histories(folder)
    sizes = {"dim": 8, "heads": 1, "ffn_dim": 8, "layers": 1, "epochs": 1, "device": "cpu"}
    train(TrainOptions(model="sasrec", cooccurrence_bias=False, **sizes), workdir=folder)
    export(ExportOptions(formats=("index",)), workdir=folder)
    return folder


def test_an_index_gives_the_lists_of_all_items_scored(exported):
    with serving(exported) as exact, serving(exported, "--search=index") as indexed:
        for user in range(0, 300, 11):
            asked = {"user_id": f"user-{user:03}", "exclude_seen": bool(user % 2), "exclude": ["item-001"]}
            one, other = exact.recommend(**asked).json, indexed.recommend(**asked).json
            assert one["item_ids"] == other["item_ids"]
            assert one["scores"] == pytest.approx(other["scores"], abs=1e-5)
        assert exact.get("/healthz").json["model"] != indexed.get("/healthz").json["model"]


def test_an_index_that_is_half_written_missing_or_of_another_model(exported, cli, tmp_path):
    folder = Path(shutil.copytree(exported, tmp_path / "artifacts"))
    content = (folder / INDEX).read_bytes()
    (folder / INDEX).write_bytes(content[: len(content) // 2])
    half = cli("serve", "--workdir", folder, "--port=0", "--search=index")
    (folder / INDEX).unlink()
    missing = cli("serve", "--workdir", folder, "--port=0", "--search=index")
    (folder / INDEX).write_bytes(content)
    weights = load_file(folder / MODEL_WEIGHTS)
    save_model(
        folder,
        read_config(folder),
        {name: tensor + 1 for name, tensor in weights.items()},
        Lineage("train", {"seed": 5}, {}),
    )
    foreign = cli("serve", "--workdir", folder, "--port=0", "--search=index")
    for ended, told in ((half, "index.faiss"), (missing, "index.faiss"), (foreign, "made from another model/")):
        assert (ended.code, told in ended.err, "Traceback" in ended.err) == (3, True, False), ended
