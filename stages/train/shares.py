"""The part of a batch that each of several processes learns from."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from stages.model.batch import Batch, Part
from stages.model.packing import Packing


def share_of(
    batch: Batch, lengths: npt.NDArray[np.int64], counted: npt.NDArray[np.bool_], rank: int, count: int
) -> Batch:
    """The histories of a batch that are the share of a process: equally many, but for one, in each.

    Where there are fewer histories than processes, some read one that is another's and count none of its targets, so
    that all of them have the same steps to go.

    Args:
        batch: of a step.
        lengths: (B,) of its histories, on the host.
        counted: (R,) at which positions targets count, on the host.
        rank: of the process.
        count: how many processes there are.
    """
    bounds = len(lengths) * np.arange(count + 1) // count
    ends = np.concatenate([[0], np.cumsum(lengths)])
    targets_before = np.concatenate([[0], np.cumsum(counted)])
    targets = np.diff(targets_before[ends[bounds]])
    low = min(int(bounds[rank]), len(lengths) - 1)
    high = max(int(bounds[rank + 1]), low + 1)
    begin, end = int(ends[low]), int(ends[high])
    first = int(targets_before[begin])
    own = slice(first, first + int(targets[rank]))
    packing = Packing(
        batch.packing.rows[begin:end] - low, batch.packing.columns[begin:end], high - low, int(lengths[low:high].max())
    )
    return replace(
        batch,
        items=batch.items[begin:end],
        packing=packing,
        counted=batch.counted[own] - begin,
        targets=batch.targets[own],
        part=Part(batch, slice(begin, end), tuple(targets.tolist()), first),
    )
