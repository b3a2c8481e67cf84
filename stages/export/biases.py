"""What the model adds to the inner product of the vectors, as numbers that others can add."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from stages.artifacts.lineage import Lineage
from stages.artifacts.names import Columns
from stages.artifacts.tables import table_writer
from stages.artifacts.vectors import to_fixed_size_list
from stages.model.recommender import Recommender

Matrix = npt.NDArray[np.float32]

_GROUP = 1 << 20
"""Pairs of a row group."""


@dataclass(frozen=True)
class Biases:
    """What is added to an item's similarity.

    Attributes:
        repeat: (L,) for an item that the history holds, by the age of its last occurrence; empty for none.
        items: (N,) for every history: what items that training never saw are worth beside others; zeros for none.
        starts: (N + 2,) the partners of item i stand at ``starts[i]`` to ``starts[i + 1]``.
        partners: (F,) item numbers.
        pairs: (F, R) what a partner gets that the history does not hold, for each of its last R items, by age.
    """

    repeat: list[float]
    items: Matrix
    starts: npt.NDArray[np.int64]
    partners: npt.NDArray[np.int64]
    pairs: Matrix

    @classmethod
    @torch.inference_mode()
    def of(cls, model: Recommender) -> "Biases":
        """Those of a model."""
        n = model.config.items
        repeats = model.repeats
        repeat = [] if repeats is None else [float(value) for value in repeats.by_age.float().cpu()]
        never_seen = model.never_seen
        new = torch.zeros(n + 1) if never_seen is None else never_seen * model.worth_of_new_items
        keys, values = model.by_pair()
        starts = torch.searchsorted(keys, torch.arange(n + 2, device=keys.device) * (n + 1))
        partners = keys % (n + 1)
        return cls(repeat, *(part.cpu().numpy() for part in (new[1:].float(), starts, partners, values.float())))

    @property
    def recent(self) -> int:
        """R, how many of the last items have partners that are shifted."""
        return int(self.pairs.shape[1])


def consumer_scores(items: npt.NDArray[np.int64], users: Matrix, vectors: Matrix, biases: Biases) -> Matrix:
    """Scores (S, N) as somebody computes them who has the exported files alone; ``export/README.md`` says how.

    Args:
        items: (S, L) histories, 0 is no item.
        users: (S, d).
        vectors: (N, d) of the items.
        biases: of the model.
    """
    scores = users @ vectors.T + biases.items
    for row, history in enumerate(items):
        last_first = history[history > 0][::-1]
        for item in set(last_first.tolist()) if biases.repeat else ():
            scores[row, item - 1] += biases.repeat[int(np.argmax(last_first == item))]
        for age, item in enumerate(last_first[: biases.recent]):
            own = slice(biases.starts[item], biases.starts[item + 1])
            new = ~np.isin(biases.partners[own], last_first)
            scores[row, biases.partners[own][new] - 1] += biases.pairs[own][new, age]
    return scores


def write_pair_bias(path: Path, biases: Biases, lineage: Lineage) -> None:
    """Write ``pair_bias.parquet``: ``item``, ``partner``, ``bias``, one number for each age.

    Raises:
        DataError: when the disk is full or the folder cannot be written.
    """
    schema = pa.schema(
        [
            pa.field(Columns.ITEM, pa.int32(), False),
            pa.field(Columns.PARTNER, pa.int32(), False),
            pa.field(Columns.BIAS, pa.list_(pa.float32(), biases.recent), False),
        ]
    )
    item = np.repeat(np.arange(len(biases.starts) - 1), np.diff(biases.starts)).astype(np.int32)
    with table_writer(path, schema) as writer:
        for low in range(0, max(1, len(item)), _GROUP):
            part = slice(low, low + _GROUP)
            columns = [pa.array(item[part]), pa.array(biases.partners[part].astype(np.int32))]
            writer.write(pa.table([*columns, to_fixed_size_list(biases.pairs[part])], schema=schema))
        writer.set_lineage(lineage)
