"""RecBole's SASRec on given rows: its files and options. Imported by scripts that run where RecBole is installed."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from recbole.config import Config
from recbole.model.sequential_recommender import SASRec

_NAME = "sequences"
_HEADER = "user_id:token\titem_id_list:token_seq\titem_id:token\n"

Rows = Iterable[tuple[int, list[int], int]]
"""A row per target: user, the items before it, the target."""


def write_rows(folder: Path, parts: Mapping[str, Rows]) -> None:
    """Write atomic files, one for each of ``train``, ``valid`` and ``test``."""
    (folder / _NAME).mkdir()
    for part, rows in parts.items():
        lines = (f"{user}\t{' '.join(map(str, items))}\t{item}\n" for user, items, item in rows)
        (folder / _NAME / f"{_NAME}.{part}.inter").write_text(_HEADER + "".join(lines))


def sasrec_config(
    folder: str, *, dim: int, dropout: float, learning_rate: float, batch_size: int, max_history: int, seed: int
) -> Config:
    """The options of a SASRec of two layers and heads with the full softmax, on the files of :func:`write_rows`.

    Args:
        folder: where they lie; RecBole leaves its checkpoints there.
        dim: width.
        dropout: of hidden layers and attention.
        learning_rate: of Adam.
        batch_size: rows a step.
        max_history: longest history.
        seed: of RecBole.
    """
    return Config(
        model=SASRec,
        dataset=_NAME,
        config_dict={
            "data_path": folder,
            "checkpoint_dir": folder,
            "benchmark_filename": ["train", "valid", "test"],
            "alias_of_item_id": ["item_id_list"],
            "load_col": {"inter": ["user_id", "item_id_list", "item_id"]},
            "USER_ID_FIELD": "user_id",
            "ITEM_ID_FIELD": "item_id",
            "MAX_ITEM_LIST_LENGTH": max_history,
            "loss_type": "CE",
            "train_neg_sample_args": None,
            "n_layers": 2,
            "n_heads": 2,
            "hidden_size": dim,
            "inner_size": 4 * dim,
            "hidden_dropout_prob": dropout,
            "attn_dropout_prob": dropout,
            "learning_rate": learning_rate,
            "train_batch_size": batch_size,
            "eval_args": {"mode": "full", "order": "TO", "group_by": "user"},
            "metrics": ["NDCG"],
            "topk": [10],
            "valid_metric": "NDCG@10",
            "use_gpu": False,
            "show_progress": False,
            "state": "ERROR",
            "seed": seed,
        },
    )
