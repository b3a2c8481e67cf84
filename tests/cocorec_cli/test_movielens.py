"""MovieLens 100k through all five stages."""

import json
import re
from pathlib import Path

import pytest
from tiny import save_tiny_model


@pytest.fixture
def ml_100k(data_root: Path) -> Path:
    folder = data_root / "ml-100k"
    if not (folder / "ml-100k.item").is_file():
        pytest.skip(f"{folder} lacks ml-100k.item; set COCOREC_TEST_DATA to the folder that holds ml-100k/")
    return folder


@pytest.mark.slow
def test_all_five_stages(cli, ml_100k, tmp_path):
    titles = (ml_100k / "ml-100k.item").read_text(encoding="utf-8").lower()
    save_tiny_model(tmp_path, sorted(set(re.findall(r"[a-z]+", titles))))
    small = [
        "--dim",
        16,
        "--text-dim",
        8,
        "--ffn-dim",
        32,
        "--fusion-ffn-dim",
        32,
        "--layers",
        1,
        "--epochs",
        1,
        "--max-history",
        5,
    ]
    machine = ["--threads", 1, "--device", "cpu"]
    for command in (
        ["preprocess", ml_100k, "--items", ml_100k, "--views", "title=movie_title,genres=class"],
        ["embed", "--model", "tiny", "--device", "cpu"],
        ["quantize", "--levels", 2, "--codebook-size", 16, "--text-dim", 8],
        ["train", *small, *machine],
        ["evaluate", "--resamples", 10, *machine],
    ):
        outcome = cli(*command, "--json")
        assert outcome.code == 0, (command, outcome.err)
    facts = json.loads(outcome.out)["result"]["facts"]
    assert facts["users"] == 943
    assert 0 < facts["metrics"]["recall@10"]["mean"] < 1
    artifacts = json.loads(cli("status", "--verify", "--json").out)["result"]["artifacts"]
    assert {found["state"] for found in artifacts if found["stage"] != "recommend"} == {"fresh"}
