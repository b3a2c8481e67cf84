"""What grows or changes makes those stages run again that read it, and no others."""

import json
from pathlib import Path

import pytest
from tiny import save_tiny_model

from stages.artifacts.names import ITEMS, SEQUENCES
from stages.artifacts.status import workdir_status
from stages.embed import EmbedOptions, embed
from stages.preprocess import PreprocessOptions, preprocess
from stages.quantize import QuantizeOptions, quantize
from stages.train import TrainOptions, train

DATA = Path(__file__).resolve().parents[1] / "data" / "v1"
TRAIN = TrainOptions(dim=8, ffn_dim=8, fusion_ffn_dim=8, text_dim=4, layers=1, epochs=1, device="cpu", threads=1)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return str(save_tiny_model(tmp_path_factory.mktemp("encoder")))


@pytest.fixture
def files(tmp_path):
    """A log and texts of items that a test may change."""
    for name in ("log.csv", "texts.jsonl"):
        (tmp_path / name).write_bytes((DATA / name).read_bytes())
    return tmp_path


def run_all(files, encoder):
    """Which of the stages had something to do."""
    workdir = files / "artifacts"
    made = {
        "preprocess": preprocess(
            PreprocessOptions([files / "log.csv"], items=[files / "texts.jsonl"], k_core=0), workdir=workdir
        ),
        "embed": embed(EmbedOptions(model=encoder), workdir=workdir),
        "quantize": quantize(QuantizeOptions(text_dim=8, levels=2, codebook_size=4), workdir=workdir),
        "train": train(TRAIN, workdir=workdir),
    }
    states = {status.state for status in workdir_status(workdir) if status.stage in made}
    assert states == {"fresh"}
    return [name for name, result in made.items() if not result.skipped]


def test_only_what_reads_the_change_runs_again(files, encoder):
    workdir = files / "artifacts"
    assert run_all(files, encoder) == ["preprocess", "embed", "quantize", "train"]
    assert run_all(files, encoder) == []

    # 200 more rows of the same users and items.
    items = (workdir / ITEMS).read_bytes()
    with (files / "log.csv").open("a") as log:
        log.writelines(f"u{row % 40:02},i{row * 7 % 12:02},{1_700_000_000 + row}\n" for row in range(200))
    assert run_all(files, encoder) == ["preprocess", "train"]
    assert (workdir / ITEMS).read_bytes() != items  # it tells other counts of interactions

    # Another text.
    sequences = (workdir / SEQUENCES).read_bytes()
    lines = (files / "texts.jsonl").read_text().splitlines()
    changed = {**json.loads(lines[0]), "title": "sand drill"}
    (files / "texts.jsonl").write_text("\n".join([json.dumps(changed), *lines[1:]]) + "\n")
    assert run_all(files, encoder) == ["preprocess", "embed", "quantize", "train"]
    assert (workdir / SEQUENCES).read_bytes() != sequences  # it names the items that it belongs to

    # The same texts, spaced otherwise.
    text = (files / "texts.jsonl").read_text().replace('": "', '" :  "')
    (files / "texts.jsonl").write_text(text)
    assert run_all(files, encoder) == ["preprocess"]

    # A new item.
    with (files / "texts.jsonl").open("a") as texts:
        texts.write('{"item_id": "i99", "title": "large oak box"}\n')
    with (files / "log.csv").open("a") as log:
        log.write("u00,i99,1800000000\n")
    assert run_all(files, encoder) == ["preprocess", "embed", "quantize", "train"]
