"""Three nights of a shop: the first, one with a longer log and new products, and one that is not good enough."""

import csv
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from stages.artifacts.lineage import read_lineage
from stages.artifacts.names import EMBEDDINGS, ITEMS, MODEL_CONFIG, RECOMMENDATIONS

REPOSITORY = Path(__file__).resolve().parents[2]
NIGHTLY = REPOSITORY / "examples" / "nightly"
QUICKSTART = REPOSITORY / "examples" / "quickstart"

CONFIG = """
[preprocess]
inputs = ["log.csv"]
items = ["catalogue.jsonl"]
user_column = "customer_id"
item_column = "product_id"
time_column = "time"
k_core = 0

[embed]
views = ["title"]

[quantize]
levels = 2
codebook_size = 16

[train]
model = "text"
with_ids = true
dim = 16
heads = 1
ffn_dim = 16
fusion_ffn_dim = 16
text_dim = 16
epochs = 2
threads = 1

[evaluate]
resamples = 20
fail_under = ["ndcg@10={bar}"]
"""


def _shop(folder: Path, rows: int, products: int, bar: float) -> None:
    with gzip.open(QUICKSTART / "log.csv.gz", "rt", encoding="utf-8") as file:
        log = list(csv.reader(file))
    texts = (QUICKSTART / "catalogue.jsonl").read_text(encoding="utf-8").splitlines()[:products]
    known = {json.loads(text)["product_id"] for text in texts}
    kept = [row for row in log[1:] if row[1] in known][:rows]
    with (folder / "log.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([log[0], *kept])
    (folder / "catalogue.jsonl").write_text("\n".join(texts) + "\n", encoding="utf-8")
    (folder / "cocorec.toml").write_text(CONFIG.replace("{bar}", str(bar)), encoding="utf-8")


def _night(folder: Path, night: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "SHOP": str(folder / "nights"), "CONFIG": str(folder / "cocorec.toml"), "PATH": path}
    environment |= {"NIGHT": night, "WARM_EPOCHS": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run([NIGHTLY / "nightly.sh"], env=environment, capture_output=True, text=True, timeout=500)


@pytest.mark.slow
def test_three_nights(tmp_path: Path) -> None:
    served = tmp_path / "nights" / "served"
    _shop(tmp_path, 1500, 120, 0.0)
    done = _night(tmp_path, "monday")
    assert done.returncode == 0, done.stderr
    assert str(served.readlink()) == "monday"
    first = pq.read_table(served / ITEMS)["item_id"].to_pylist()

    _shop(tmp_path, 2500, 125, 0.0)
    done = _night(tmp_path, "tuesday")
    assert done.returncode == 0, done.stderr
    assert str(served.readlink()) == "tuesday"
    second = pq.read_table(served / ITEMS)["item_id"].to_pylist()
    assert second[: len(first)] == first and len(second) > len(first)
    embedded = read_lineage(served / EMBEDDINGS)
    trained = read_lineage(served / MODEL_CONFIG)
    assert embedded is not None and trained is not None
    assert 0 < embedded.facts["texts_reused"] < embedded.facts["texts"]
    assert trained.facts["epochs"] == 1
    users = pq.read_table(served / RECOMMENDATIONS)["user_id"].to_pylist()
    assert len(users) == len(set(users)) > 100

    _shop(tmp_path, 2600, 125, 0.99)
    done = _night(tmp_path, "wednesday")
    assert done.returncode == 4, done.stderr
    assert str(served.readlink()) == "tuesday"
