"""Print the results that ``reproduce.sh`` left in ``artifacts/`` as a Markdown table.

    python table.py --seeds "0 1 2" Musical_Instruments Video_Games

With several seeds each figure is the mean over them, followed by the standard deviation between them.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path

ARTIFACTS = Path(__file__).resolve().parent / "artifacts"


def read_metrics(dataset: str, seed: str) -> dict:
    """The content of one run's ``metrics.json``."""
    path = ARTIFACTS / f"{dataset}-seed-{seed}" / "metrics.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        sys.exit(f"error: cannot read {path}: {error}\nhint: Run reproduce.sh for {dataset} and seed {seed}.")


def shown(values: list[float]) -> str:
    """A figure of all runs."""
    spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.4f}{spread}"


def table(datasets: list[str], seeds: list[str]) -> list[str]:
    """The lines of the table."""
    lines: list[str] = []
    for dataset in datasets:
        runs = [read_metrics(dataset, seed) for seed in seeds]
        names = [name for name in runs[0]["metrics"] if name.startswith(("recall@", "ndcg@"))]
        if not lines:
            lines = ["| data set | users | items | seeds | " + " | ".join(names) + " |"]
            lines.append("| --- " * (4 + len(names)) + "|")
        figures = [shown([run["metrics"][name]["mean"] for run in runs]) for name in names]
        counts = [f"{runs[0][name]:,}" for name in ("users", "items")]
        lines.append("| " + " | ".join([dataset, *counts, ", ".join(seeds), *figures]) + " |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="+", metavar="DATASET")
    parser.add_argument("--seeds", default="0", type=str.split, help="separated by blanks")
    options = parser.parse_args()
    print("\n".join(table(options.datasets, options.seeds)))


if __name__ == "__main__":
    main()
