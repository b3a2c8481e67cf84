"""Starts a Ray cluster of a head and two workers on this machine, runs the stages on it, and compares with one process.

python examples/cluster/compare.py                      # the quickstart's shop, all stages that know --engine
python examples/cluster/compare.py --reviews 1000000    # preprocess alone, on an invented log
"""

import argparse
import gzip
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

QUICKSTART = Path(__file__).resolve().parents[1] / "quickstart"
COCOREC = (sys.executable, "-m", "cocorec_cli")
SHOP = ("--user-column", "customer_id", "--item-column", "product_id", "--time-column", "time", "--k-core", "3")


def cocorec(*arguments: object) -> None:
    command = [*COCOREC, *map(str, arguments), "--quiet"]
    print("$ cocorec", *command[3:], flush=True)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def same_bytes(*names: str, folder: Path) -> None:
    for name in names:
        if (folder / "local" / name).read_bytes() != (folder / "ray" / name).read_bytes():
            sys.exit(f"{name} differs between one process and the cluster")
        print(f"{name}: the same bytes")


def invented(path: Path, reviews: int) -> Path:
    """Reviews of users and items at random, gz JSON lines."""
    rng = np.random.default_rng(0)
    with gzip.open(path, "wt", compresslevel=1) as file:
        for start in range(0, reviews, 100_000):
            count = min(100_000, reviews - start)
            users = rng.integers(max(1, reviews // 8), size=count).tolist()
            items = rng.integers(max(1, reviews // 20), size=count).tolist()
            file.writelines(
                f'{{"user_id": "U{user}", "parent_asin": "B{item:09}", "timestamp": {1_500_000_000_000 + time}}}\n'
                for time, (user, item) in enumerate(zip(users, items, strict=True), start)
            )
    return path


def compare_preprocess(folder: Path, address: str, reviews: int) -> None:
    log = invented(folder / "reviews.jsonl.gz", reviews)
    cocorec("preprocess", log, "--workdir", folder / "local")
    cocorec("preprocess", log, "--workdir", folder / "ray", "--engine", "ray", "--address", address)
    same_bytes("items.parquet", "sequences.parquet", "histories.parquet", folder=folder)


def compare_all(folder: Path, address: str) -> None:
    on_cluster = ("--engine", "ray", "--address", address)
    log = (QUICKSTART / "log.csv.gz", "--items", QUICKSTART / "catalogue.jsonl", *SHOP)
    for engine, added in (("local", ()), ("ray", on_cluster)):
        work = ("--workdir", folder / engine)
        cocorec("preprocess", *log, *work, *added)
        cocorec("embed", "--views", "title", "--max-tokens", 16, "--threads", 1, *work, *added)
        cocorec("quantize", "--levels", 2, "--codebook-size", 16, "--text-dim", 16, *work, *added)
    same_bytes("items.parquet", "sequences.parquet", "histories.parquet", folder=folder)
    local, shared = (
        np.stack(pq.read_table(folder / engine / "embeddings.parquet")["title"].drop_null().to_numpy())
        for engine in ("local", "ray")
    )
    if not np.allclose(local, shared, atol=1e-5):
        sys.exit(f"vectors differ by {np.abs(local - shared).max()}")
    print(f"embeddings.parquet: vectors differ by {np.abs(local - shared).max():.1e} at most")
    work = ("--workdir", folder / "ray")
    cocorec("train", "--model", "transitions", "--threads", 1, *work)
    lists = folder / "lists.parquet"
    cocorec("recommend", "--threads", 1, "--output", lists, *work)
    cocorec("recommend", "--threads", 1, *work, *on_cluster)
    if pq.read_table(lists)["item_ids"] != pq.read_table(folder / "ray" / "recommendations.parquet")["item_ids"]:
        sys.exit("lists differ between one process and the cluster")
    print("recommendations.parquet: the same lists")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reviews", type=int, help="compare preprocess alone, on an invented log of so many")
    reviews = parser.parse_args().reviews
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    machine = {"num_cpus": 1, "object_store_memory": 200_000_000}
    cluster = Cluster(initialize_head=True, head_node_args={**machine, "num_cpus": 0, "include_dashboard": False})
    try:
        for _ in range(2):
            cluster.add_node(**machine)
        cluster.wait_for_nodes()
        print(f"a head and two workers at {cluster.address}")
        with tempfile.TemporaryDirectory() as name:
            if reviews:
                compare_preprocess(Path(name), cluster.address, reviews)
            else:
                compare_all(Path(name), cluster.address)
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main()
