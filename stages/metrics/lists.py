"""What recommendation lists are like beyond their accuracy: coverage, novelty and popularity bias."""

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]


def list_metrics(lists: npt.NDArray[np.integer], counts: Integers) -> dict[str, float]:
    """Measures of all lists together; the higher, the more diverse the exposure, but for ``arp`` and ``gini``.

    - ``coverage``: share of the catalogue that stands in at least one list (Ge, Delgado-Battenfeld and Jannach,
      Beyond accuracy, RecSys 2010).
    - ``novelty``: mean self-information of the items in a list, bits: -log2 of their share of the interactions in
      training, each item counted once more so that unseen items have a share (Castells, Hurley and Vargas, Novelty
      and diversity in recommender systems, 2022).
    - ``arp``: average recommendation popularity, the mean number of interactions in training of the items in a list
      (Yin et al., Challenging the long tail recommendation, VLDB 2012).
    - ``gini``: Gini index of how often each item of the catalogue is recommended; 0 is equal, 1 is one item alone.

    Novelty and ARP are means over lists of the mean over a list.

    Args:
        lists: (U, k) item numbers; 0 where a list is shorter.
        counts: (N,) interactions of each item in training.

    Returns:
        By name; NaN where all lists are empty.
    """
    n = len(counts)
    exposure = np.bincount(lists.ravel(), minlength=n + 1)[1:]
    lengths = (lists > 0).sum(axis=1)
    recommended = int(lengths.sum())
    if not recommended:
        return dict.fromkeys(("coverage", "novelty", "arp", "gini"), float("nan"))
    information = -np.log2((counts + 1) / (counts.sum() + n))
    ordered = np.sort(exposure)
    gini = float((2 * np.arange(1, n + 1) - n - 1) @ ordered) / (n * recommended)
    return {
        "coverage": float((exposure > 0).mean()),
        "novelty": _mean_of_means(information, lists, lengths),
        "arp": _mean_of_means(counts, lists, lengths),
        "gini": gini,
    }


def _mean_of_means(values: npt.NDArray[np.generic], lists: npt.NDArray[np.integer], lengths: Integers) -> float:
    padded = np.concatenate([[0.0], values])
    sums = np.zeros(len(lists))
    for column in lists.T:  # a column at a time: no float per recommendation
        sums += padded[column]
    filled = lengths > 0
    return float((sums[filled] / lengths[filled]).mean())
