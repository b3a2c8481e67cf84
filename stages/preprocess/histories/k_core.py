"""k-core filtering."""

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.uint32]


def k_core(users: Codes, items: Codes, k: int) -> tuple[npt.NDArray[np.bool_], int]:
    """The largest set of interactions in which every user and every item has at least ``k`` of them.

    Args:
        users: (interactions,) user of each interaction, from 0.
        items: (interactions,) item of each interaction, from 0.
        k: the least number of interactions of a user and of an item.

    Returns:
        Which interactions are kept (interactions,), and after how many rounds nothing changed any more.
    """
    mask = np.ones(len(users), np.bool_)
    rounds = 0
    while True:
        # Users and items are judged on the same set, as in the benchmark scripts of Amazon Reviews 2023; the fixed
        # point does not depend on the order.
        enough = (np.bincount(users) >= k)[users]
        enough &= (np.bincount(items) >= k)[items]
        if enough.all():
            return mask, rounds
        mask[mask] = enough
        users, items = users[enough], items[enough]
        rounds += 1
