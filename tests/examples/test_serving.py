"""The example asks a server of a trained work directory, and gets answers."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from whole_histories import write_histories

from stages.artifacts.items import items_schema
from stages.artifacts.lineage import Lineage
from stages.artifacts.names import ITEMS
from stages.artifacts.tables import write_table
from stages.train import TrainOptions, train

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def shop(structured: Path) -> Path:
    """A trained work directory with the ids of the quickstart."""
    ids = [f"P{number:04}" for number in range(1, 60)] + ["P0305"]
    columns = [pa.array(range(1, 61), pa.int32()), pa.array(ids), pa.array([f"title of {item}" for item in ids])]
    table = pa.table(columns, schema=items_schema(["title"]))
    write_table(structured / ITEMS, table, Lineage("preprocess", {}, {}))
    write_histories(structured, {"C00042": [1, 2, 3], "C00043": [4]})
    train(TrainOptions(model="sasrec", dim=8, heads=1, ffn_dim=8, layers=1, epochs=1, device="cpu"), workdir=structured)
    return structured


def test_the_server_is_asked_with_curl(shop, tmp_path):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    command = tmp_path / "cocorec"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cocorec_cli "$@"\n')
    command.chmod(0o755)
    done = subprocess.run(
        [REPOSITORY / "examples" / "serving" / "ask.sh", shop],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, "COCOREC": str(command), "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    customer, visitor, new, similar, refused, health = answers
    assert (customer["user_id"], len(customer["item_ids"]), len(customer["title"])) == ("C00042", 3, 3)
    assert sorted(visitor["item_ids"]) == sorted(set(visitor["item_ids"]) & {"P0002", "P0004", "P0005"})
    assert visitor["unknown_ids"] == 1
    assert new["fallback"] is True
    assert similar["item_id"] == "P0001"
    assert "k: Input should be greater than or equal to 1" in refused["error"]
    assert health["status"] == "ok"
    assert done.stdout.endswith("ended with exit code 0\n")
