"""The popularity baseline: everybody gets the most bought items."""

import numpy as np
import numpy.typing as npt

from stages.artifacts.sequences import Sequences


def popularity_ranks(
    sequences: Sequences, split: str, targets: npt.NDArray[np.int64], items: int
) -> npt.NDArray[np.int64]:
    """Rank of each target when items are ordered by how often they occur before the split; ties against the target.

    Args:
        sequences: all users.
        split: ``valid`` or ``test``; the counts take what a recommender could have seen by then.
        targets: (R,) items to be found.
        items: N.
    """
    known = sequences.train_end if split == "valid" else sequences.valid_end
    within = np.arange(len(sequences.items)) - np.repeat(sequences.offsets[:-1], np.diff(sequences.offsets))
    seen = within < np.repeat(known, np.diff(sequences.offsets))
    counts = np.bincount(sequences.items[seen], minlength=items + 1)[1:]
    ordered = np.sort(counts)
    return items - np.searchsorted(ordered, counts[targets - 1], side="left")
