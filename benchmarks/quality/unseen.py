"""How well targets that training never saw are ranked: evaluated runs beside chance and text neighbours.

    cocorec preprocess ... --cold-items 0.1 && cocorec embed && cocorec quantize
    cocorec train --preset light && cocorec evaluate --split valid
    python -m benchmarks.quality.unseen artifacts [MORE WORK DIRECTORIES] [--boosts 0.02,0.05]

or, of runs of ``make quality``, the mean over the seeds of each row:

    python -m benchmarks.quality.unseen RUNS/scientific-cold/*/seed-*/test --boosts 0.02,0.05

The neighbours rank all items by the cosine of their text vectors, views scaled to length one and side by side, with
that of the history's last item.
"""

import argparse
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from stages.artifacts.lineage import read_lineage
from stages.artifacts.names import EMBEDDINGS, RANKS, SEQUENCES, Columns
from stages.artifacts.sequences import Sequences, read_sequences
from stages.artifacts.tables import read_table
from stages.artifacts.vectors import embedding_views, read_view
from stages.evaluate.options import SPLITS
from stages.model.files import load_model
from stages.model.ranking import Queries, queries, target_ranks

Integers = npt.NDArray[np.int64]
_ROWS = 1024


def text_vectors(path: Path) -> npt.NDArray[np.float32]:
    """The views of ``embeddings.parquet`` side by side (N, sum of D), each of length one where an item has it."""
    parts = []
    for view in embedding_views(path):
        matrix, present = read_view(path, view)
        lengths = np.where(present, np.linalg.norm(matrix, axis=1), 1.0)
        parts.append((matrix / np.maximum(lengths, 1e-12)[:, None]).astype(np.float32))
    return np.concatenate(parts, axis=1)


def neighbour_ranks(vectors: npt.NDArray[np.float32], sequences: Sequences, wanted: Queries) -> Integers:
    """Rank (R,) of each target among all items by the cosine with the last item; ties against the target."""
    table = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    last = sequences.items[wanted.end - 1] - 1
    ranks = np.empty(len(last), np.int64)
    for start in range(0, len(last), _ROWS):
        part = slice(start, start + _ROWS)
        scores = table[last[part]] @ table.T
        of_target = scores[np.arange(len(scores)), wanted.target[part] - 1]
        ranks[part] = (scores >= of_target[:, None]).sum(1)
    return ranks


def measures(ranks: Integers, unseen: npt.NDArray[np.bool_]) -> list[float]:
    """Recall@10 and NDCG@10 of the targets that training never saw, then of all; NaN where there is none."""
    found: list[float] = []
    for chosen in (unseen, np.ones_like(unseen)):
        own = ranks[chosen]
        if not len(own):
            found += [math.nan, math.nan]
            continue
        found += [float((own <= 10).mean()), float(np.where(own <= 10, 1 / np.log2(1 + own), 0.0).mean())]
    return found


def _row(name: str, runs: list[list[float]]) -> str:
    """Means over runs."""
    return f"{name:44}" + "  ".join(f"{np.mean(values):.4f}" for values in zip(*runs, strict=True))


def model_of(workdir: Path) -> str:
    """The row of a run of ``make quality``, which has a folder for each seed and split; else the folder's name."""
    of_seed = workdir.parent if workdir.name in SPLITS else workdir
    return of_seed.parent.name if of_seed.name.startswith("seed-") else workdir.name


def _boosted(workdir: Path, split: str, boost: float) -> Integers:
    """Ranks (R,) of a run's targets with ``evaluate --new-item-boost``."""
    trained = load_model(workdir, torch.device("cpu"))
    trained.model.boost_new_items(boost)
    sequences = read_sequences(workdir / SEQUENCES)
    wanted = queries(sequences, split, trained.model.config.max_history)
    return target_ranks(trained.model, torch.from_numpy(sequences.items.astype(np.int64)), wanted)


def main(workdirs: list[Path], boosts: list[float]) -> None:
    """Print a row for each model, the mean of its runs, then neighbours and chance for the first one's data."""
    first = workdirs[0]
    table = read_table(first / RANKS)
    unseen = table[Columns.TARGET_COUNT].to_numpy() == 0
    lineage = read_lineage(first / RANKS)
    split = str(lineage.options["split"]) if lineage else "test"
    print(f"{split}: {len(unseen):,} targets, {int(unseen.sum()):,} of them never seen in training")
    print(f"{'':44}Recall@10, NDCG@10 of these; of all")
    models: dict[str, list[Path]] = {}
    for workdir in workdirs:
        models.setdefault(model_of(workdir), []).append(workdir)
    for model, runs in models.items():
        ranks = [read_table(run / RANKS)[Columns.RANK].to_numpy().astype(np.int64) for run in runs]
        print(_row(f"{model}, {len(runs)} run{'s' * (len(runs) > 1)}", [measures(one, unseen) for one in ranks]))
        for boost in boosts:
            of_runs = [measures(_boosted(run, split, boost), unseen) for run in runs]
            print(_row(f"{model}, --new-item-boost {boost:g}", of_runs))
    vectors = text_vectors(first / EMBEDDINGS)
    sequences = read_sequences(first / SEQUENCES)
    wanted = queries(sequences, split, 1)
    print(_row("nearest texts of the last item", [measures(neighbour_ranks(vectors, sequences, wanted), unseen)]))
    items = len(vectors)
    expected = sum(1 / np.log2(1 + rank) for rank in range(1, 11)) / items
    print(_row("chance", [[10 / items, expected] * 2]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="How well targets that training never saw are ranked.")
    parser.add_argument("workdirs", nargs="+", type=Path, help="evaluated runs; a folder of seeds is a model")
    parser.add_argument("--boosts", default="", help="values of --new-item-boost to rank with as well: 0.02,0.05")
    arguments = parser.parse_args()
    main(arguments.workdirs, [float(one) for one in arguments.boosts.split(",") if one])
