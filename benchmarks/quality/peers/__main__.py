"""A model of RecTools or RecBole on the sequences of a work directory: trained, chosen on validation, ranked on test.

    python -m venv rectools && rectools/bin/pip install 'rectools[torch]'
    python -m venv recbole && recbole/bin/pip install recbole 'numpy<2' 'pandas<2.3' 'scipy<1.14' 'setuptools<81'
    python -m benchmarks.quality.peers artifacts rectools/bin/python rectools-unisrec.parquet --peer rectools-unisrec
    cocorec compare artifacts rectools-unisrec.parquet

The peers want other versions of numpy and pandas than this toolkit, hence environments of their own. They get the same
histories and, where they read texts, the vectors of ``embeddings.parquet``, views side by side, each of length one.
All items are ranked.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.peers import peer_environment
from benchmarks.quality.peers.waiting import gain
from benchmarks.quality.unseen import Integers, text_vectors
from cocorec_cli.console import say
from stages.artifacts.items import count_items
from stages.artifacts.names import EMBEDDINGS, ITEMS, SEQUENCES
from stages.artifacts.ranks import RANKS_SCHEMA
from stages.artifacts.sequences import Sequences, read_sequences
from stages.model.ranking import Queries, queries

PEERS = {
    "rectools-unisrec": ("rectools_models.py", "unisrec"),
    "rectools-sasrec": ("rectools_models.py", "sasrec"),
    "recbole-sasrec": ("recbole_models.py", "sasrec"),
}
"""Script and model of each."""

READ_TEXTS = ("rectools-unisrec",)
"""Those that cannot do without ``embeddings.parquet``."""

_COLUMNS = RANKS_SCHEMA.names[:3]


def write_data(path: Path, workdir: Path, max_history: int) -> tuple[Sequences, Queries]:
    """Write what a peer reads; give the sequences and the targets of the test split.

    Args:
        path: of the npz file. It has ``items``, ``offsets``, ``train_end`` of the sequences; for ``valid`` and ``test``
            ``_start``, ``_end`` of each history in ``items`` and its ``_target``; ``vectors`` (N + 1, D) of the texts,
            zeros where there are none, row 0 for no item.
        workdir: with ``items.parquet`` and ``sequences.parquet``, and ``embeddings.parquet`` if there are texts.
        max_history: longest history.
    """
    count = count_items(workdir / ITEMS)
    sequences = read_sequences(workdir / SEQUENCES, items=count, user_ids=True)
    texts = workdir / EMBEDDINGS
    vectors = text_vectors(texts) if texts.exists() else np.zeros((count, 1), np.float32)
    asked = {split: queries(sequences, split, max_history) for split in ("valid", "test")}
    spans: dict[str, Any] = {
        f"{split}_{name}": values
        for split, wanted in asked.items()
        for name, values in (("start", wanted.start), ("end", wanted.end), ("target", wanted.target))
    }
    np.savez(
        path,
        items=sequences.items,
        offsets=sequences.offsets,
        train_end=sequences.train_end,
        vectors=np.pad(vectors, ((1, 0), (0, 0))),
        **spans,
    )
    return sequences, asked["test"]


def write_peer_ranks(path: Path, sequences: Sequences, wanted: Queries, ranks: Integers) -> None:
    """Write the ranks of another tool as ``cocorec compare`` reads them."""
    assert sequences.user_ids is not None
    users = sequences.user_ids.cast(pa.string()).take(pa.array(wanted.user))
    schema = pa.schema([RANKS_SCHEMA.field(name) for name in _COLUMNS])
    pq.write_table(pa.table([users, wanted.target, ranks], names=_COLUMNS).cast(schema), path)


def main(args: list[str] | None = None) -> None:
    """Run a peer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workdir", type=Path, help="with items.parquet, sequences.parquet and embeddings.parquet")
    parser.add_argument("python", type=Path, help="interpreter of an environment with the peer")
    parser.add_argument("output", type=Path, help="Parquet file for the ranks of the test targets")
    parser.add_argument("--peer", choices=tuple(PEERS), required=True)
    parser.add_argument("--epochs", type=int, default=200, help="at most")
    parser.add_argument("--patience", type=int, default=5, help="epochs without a better validation NDCG@10")
    parser.add_argument("--dim", type=int, default=128, help="width of the model")
    parser.add_argument("--dropout", type=float, default=0.3)
    parser.add_argument("--batch-size", type=int, default=512, help="histories per step; of RecBole, prefixes")
    parser.add_argument("--learning-rate", type=float, default=0.001)
    parser.add_argument("--max-history", type=int, default=20, help="longest history")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(args)
    script, model = PEERS[arguments.peer]
    if arguments.peer in READ_TEXTS and not (arguments.workdir / EMBEDDINGS).exists():
        parser.error(f"--peer {arguments.peer} reads texts: {arguments.workdir / EMBEDDINGS} does not exist")
    with tempfile.TemporaryDirectory() as name:
        data, found = Path(name) / "sequences.npz", Path(name) / "ranks.npy"
        sequences, wanted = write_data(data, arguments.workdir, arguments.max_history)
        command = [arguments.python.absolute(), Path(__file__).absolute().with_name(script), data, found]
        given = {key: vars(arguments)[key] for key in ("epochs", "patience", "dim", "batch_size", "max_history")}
        given |= {key: vars(arguments)[key] for key in ("threads", "seed", "learning_rate", "dropout")}
        options = [f"--{key.replace('_', '-')}={value}" for key, value in given.items()]
        environment = peer_environment(arguments.threads)
        subprocess.run(
            [*map(str, command), f"--model={model}", *options],
            check=True,
            env=environment,
            cwd=name,  # RecBole and Lightning leave logs where they run
        )
        ranks = np.load(found).astype(np.int64)
    write_peer_ranks(arguments.output, sequences, wanted, ranks)
    say(f"{arguments.output}: test Recall@10 {(ranks <= 10).mean():.4f}, NDCG@10 {gain(ranks):.4f}")


if __name__ == "__main__":
    main()
