"""What a warm start is worth: a log that grows over three nights, trained from yesterday's weights and from scratch.

    python -m benchmarks.quality.nightly WORKDIR OUTPUT --texts METADATA --views title,brand --options --preset light

WORKDIR is one in which `preprocess`, `embed` and `quantize` have run. Each user's history is cut to its first 80, 90
and 100 %; every night is preprocessed with `--extend`, takes over all vectors, and is trained twice: from scratch, and
with `--init-from` the night before (the first from scratch alone). Printed are the validation NDCG@10, which chose the
epoch, the epochs, and the CPU seconds of training.
"""

import argparse
import csv
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from stages.artifacts.items import read_item_ids
from stages.artifacts.names import ITEMS, SEQUENCES
from stages.artifacts.sequences import read_sequences

SHARES = (0.8, 0.9, 1.0)


def write_night(workdir: Path, share: float, path: Path) -> None:
    """The log of a night: the first part of each user's history, times being places in it."""
    sequences = read_sequences(workdir / SEQUENCES, user_ids=True)
    ids = read_item_ids(workdir / ITEMS).to_pylist()
    assert sequences.user_ids is not None
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["user_id", "item_id", "timestamp"])
        for user, name in enumerate(sequences.user_ids.to_pylist()):
            items = sequences.items[sequences.offsets[user] : sequences.offsets[user + 1]]
            kept = max(3, math.ceil(share * len(items)))
            writer.writerows([name, ids[item - 1], place] for place, item in enumerate(items[:kept].tolist()))


def cocorec(*arguments: str | Path) -> dict[str, Any]:
    """Run a command; its JSON, with the CPU seconds that it took."""
    before = os.times()
    done = subprocess.run(
        [sys.executable, "-m", "cocorec_cli", *map(str, arguments), "--json", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
    )
    after = os.times()
    if done.returncode:
        sys.exit(done.stderr)
    spent = after.children_user - before.children_user + after.children_system - before.children_system
    return {**json.loads(done.stdout)["result"], "cpu_seconds": spent}


def main() -> None:
    """Run the nights and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workdir", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--texts", type=Path, required=True, help="the item metadata, as given to preprocess")
    parser.add_argument("--views", default="title", help="as given to embed")
    parser.add_argument("--options", nargs=argparse.REMAINDER, default=[], help="of train")
    given = parser.parse_args()
    print("| log | start | validation NDCG@10 | best epoch | epochs | CPU s |\n| --- | --- | --- | --- | --- | --- |")
    yesterday: Path | None = None
    for share in SHARES:
        night = given.output / f"night-{share:.0%}".rstrip("%")
        night.mkdir(parents=True, exist_ok=True)
        log = night / "log.csv"
        write_night(given.workdir, share, log)
        source = yesterday or given.workdir
        grown: list[str | Path] = ["--extend", source, "--items", given.texts, "--k-core", "0"]
        cocorec("preprocess", log, *grown, "--workdir", night)
        cocorec("embed", "--views", given.views, "--reuse", source, "--workdir", night)
        cocorec("quantize", "--workdir", night)
        starts: dict[str, list[str | Path]] = {"scratch": []}
        if yesterday is not None:
            starts["warm"] = ["--init-from", yesterday]
        for start, options in starts.items():
            result = cocorec("train", *given.options, *options, "--workdir", night, "--force")
            facts = result["facts"]
            row = [f"{share:.0%}", start, f"{facts['validation']['ndcg@10']:.4f}"]
            row += [str(facts["best_epoch"]), str(facts["epochs"]), f"{result['cpu_seconds']:.0f}"]
            print("| " + " | ".join(row) + " |", flush=True)
        yesterday = night


if __name__ == "__main__":
    main()
