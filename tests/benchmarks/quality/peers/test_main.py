"""What a peer is given, and its ranks in a comparison; the peers themselves want environments of their own."""

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality.peers.__main__ import main, write_data
from stages.compare import CompareOptions, compare
from stages.evaluate import EvaluateOptions, evaluate
from stages.preprocess import PreprocessOptions, preprocess
from stages.train import TrainOptions, train

PEER = """
import argparse, sys
import numpy as np
parser = argparse.ArgumentParser()
for name in ("script", "data", "ranks", "--model", "--seed", "--dim"):
    parser.add_argument(name)
arguments, _ = parser.parse_known_args()
assert arguments.script.endswith("rectools_models.py") and arguments.model == "sasrec" and arguments.dim == "16"
data = dict(np.load(arguments.data))
np.save(arguments.ranks, data["test_target"])  # the item's number is its rank
"""


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    """Four users; the last two items of each are for validation and test."""
    rows = [f"u{user},i{(user + when) % 6},{when}" for user in range(4) for when in range(5)]
    (tmp_path / "log.csv").write_text("\n".join(["user_id,item_id,timestamp", *rows]) + "\n")
    folder = tmp_path / "work"
    preprocess(PreprocessOptions(inputs=(tmp_path / "log.csv",), k_core=0), workdir=folder)
    return folder


def test_a_peer_reads_histories_and_targets(workdir: Path, tmp_path: Path) -> None:
    sequences, wanted = write_data(tmp_path / "data.npz", workdir, max_history=2)
    data = dict(np.load(tmp_path / "data.npz"))
    assert data["vectors"].shape == (7, 1)  # six items, and a row for none; no texts
    assert data["train_end"].tolist() == [3, 3, 3, 3]
    for user in range(4):
        own = sequences.items[sequences.offsets[user] : sequences.offsets[user + 1]].tolist()
        for split, at in (("valid", 3), ("test", 4)):
            span = slice(data[f"{split}_start"][user], data[f"{split}_end"][user])
            assert data["items"][span].tolist() == own[at - 2 : at]
            assert data[f"{split}_target"][user] == own[at]
    assert wanted.target.tolist() == data["test_target"].tolist()


def test_its_ranks_are_compared(workdir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!{sys.executable}\n{PEER}")
    python.chmod(0o755)
    output = tmp_path / "peer.parquet"
    main([str(workdir), str(python), str(output), "--peer", "rectools-sasrec", "--dim", "16"])
    assert "test Recall@10 1.0000" in capsys.readouterr().err
    train(TrainOptions(model="popularity"), workdir=workdir)
    evaluate(EvaluateOptions(), workdir=workdir)
    result = compare(CompareOptions(runs=(str(workdir), f"peer={output}")))
    ndcg = result["metrics"][0]["values"]
    assert set(ndcg) == {"work", "peer"}
    # The last items of the users, whose numbers are their ranks here.
    assert ndcg["peer"] == pytest.approx(np.mean([1 / np.log2(1 + rank) for rank in (5, 6, 1, 2)]))


def test_a_peer_of_texts_is_not_run_without_them(
    workdir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([str(workdir), sys.executable, str(tmp_path / "peer.parquet"), "--peer", "rectools-unisrec"])
    assert ended.value.code == 2
    assert "embeddings.parquet does not exist" in capsys.readouterr().err
