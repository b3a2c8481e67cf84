"""What is said of a ranking: accuracy with intervals, the lists beyond accuracy, groups by popularity."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.artifacts.errors import DataError
from stages.artifacts.items import count_items
from stages.artifacts.names import EMBEDDINGS
from stages.evaluate.diversity import intra_list_diversity
from stages.frame.run import StageRun
from stages.metrics.accuracy import Places, metric_names, user_metrics
from stages.metrics.bootstrap import bootstrap_means, intervals
from stages.metrics.lists import list_metrics
from stages.metrics.slices import POPULARITY_GROUPS, popularity_bounds, popularity_group

Integers = npt.NDArray[np.int64]


def with_intervals(found: Places, cutoffs: Sequence[int], resamples: int, seed: int) -> dict[str, dict[str, float]]:
    """The mean of each metric over users, with its 95 % bootstrap interval.

    Args:
        found: where the targets stand.
        cutoffs: the K of the metrics that have one.
        resamples: of the users.
        seed: decides the resamples.
    """
    names = metric_names(cutoffs)
    values = user_metrics(found, names)
    low, high = intervals(bootstrap_means(values, samples=resamples, seed=seed))
    return {
        name: {"mean": float(mean), "low": float(low[i]), "high": float(high[i])}
        for i, (name, mean) in enumerate(zip(names, values.mean(0), strict=True))
    }


def beyond_accuracy(run: StageRun, lists: npt.NDArray[np.int32], counts: Integers, top: int) -> dict[str, float | None]:
    """Coverage, novelty, popularity and exposure of the lists, and their diversity where there are text embeddings.

    Args:
        run: of the stage.
        lists: (U, K) item numbers, 0 where a list is shorter.
        counts: (N,) interactions of each item in training.
        top: the K asked for, which may be above N.
    """
    values: dict[str, float | None] = {**list_metrics(lists, counts)}
    path = run.path(EMBEDDINGS)
    if path.exists():
        if len(counts) != (known := count_items(path)):
            raise DataError(
                f"{path} has {known} items, the model knows {len(counts)}",
                "Run `cocorec embed` again, or take the file away.",
            )
        values["diversity"] = intra_list_diversity(path, lists)
    else:
        run.reporter.info(f"no {EMBEDDINGS} in {run.workdir}: intra-list diversity is left out")
    return {f"{name}@{top}": None if value is None or math.isnan(value) else value for name, value in values.items()}


def popularity_groups(counts: Integers, target_counts: Integers) -> list[dict[str, Any]]:
    """How many items and targets there are of each group of popularity in training.

    Args:
        counts: (N,) interactions of each item in training.
        target_counts: (R,) of each target.
    """
    bounds = popularity_bounds(counts)
    sizes = [np.bincount(popularity_group(of, bounds), minlength=4) for of in (counts, target_counts)]
    return [
        {"group": name, "from_interactions": bounds[i], "items": int(sizes[0][i]), "targets": int(sizes[1][i])}
        for i, name in enumerate(POPULARITY_GROUPS)
    ]
