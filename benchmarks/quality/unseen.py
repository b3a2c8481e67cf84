"""How well targets that training never saw are ranked: evaluated runs beside chance and text neighbours.

    cocorec preprocess ... --cold-items 0.1 && cocorec embed && cocorec quantize
    cocorec train --preset light && cocorec evaluate --split valid --top 0
    python -m benchmarks.quality.unseen artifacts [MORE WORK DIRECTORIES]

The neighbours rank all items by the cosine of their text vectors, views scaled to length one and side by side, with
that of the history's last item.
"""

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stages.artifacts.lineage import read_lineage
from stages.artifacts.names import EMBEDDINGS, RANKS, SEQUENCES, Columns
from stages.artifacts.sequences import Sequences, read_sequences
from stages.artifacts.tables import read_table
from stages.artifacts.vectors import embedding_views, read_view
from stages.model.ranking import Queries, queries

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


def _row(name: str, ranks: Integers, unseen: npt.NDArray[np.bool_]) -> str:
    cells = []
    for chosen in (unseen, np.ones_like(unseen)):
        own = ranks[chosen]
        gains = np.where(own <= 10, 1 / np.log2(1 + own), 0.0)
        cells += [f"{(own <= 10).mean():.4f}", f"{gains.mean():.4f}"]
    return f"{name:24}" + "  ".join(cells)


def main(workdirs: list[str]) -> None:
    """Print a row for each run, then chance and neighbours for the first one's data."""
    first = Path(workdirs[0])
    table = read_table(first / RANKS)
    unseen = table[Columns.TARGET_COUNT].to_numpy() == 0
    lineage = read_lineage(first / RANKS)
    split = str(lineage.options["split"]) if lineage else "test"
    print(f"{split}: {len(unseen):,} targets, {int(unseen.sum()):,} of them never seen in training")
    print(f"{'':24}Recall@10, NDCG@10 of these; of all")
    for workdir in workdirs:
        ranks = read_table(Path(workdir) / RANKS)
        seen_never = ranks[Columns.TARGET_COUNT].to_numpy() == 0
        print(_row(Path(workdir).name, ranks[Columns.RANK].to_numpy().astype(np.int64), seen_never))
    vectors = text_vectors(first / EMBEDDINGS)
    sequences = read_sequences(first / SEQUENCES)
    wanted = queries(sequences, split, 1)
    print(_row("text neighbours", neighbour_ranks(vectors, sequences, wanted), unseen))
    items = len(vectors)
    expected = sum(1 / np.log2(1 + rank) for rank in range(1, 11)) / items
    print(f"{'chance':24}{10 / items:.4f}  {expected:.4f}")


if __name__ == "__main__":
    main(sys.argv[1:])
