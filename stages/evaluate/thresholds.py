"""Quality thresholds: metrics that must not fall below a value, so that a pipeline can stop."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from stages.artifacts.errors import DataError, QualityError, UsageError
from stages.artifacts.names import METRICS


def parse_thresholds(texts: Sequence[str], known: Sequence[str]) -> dict[str, float]:
    """Read thresholds such as ``ndcg@10=0.05``.

    Args:
        texts: as typed.
        known: names of the metrics that are computed.

    Raises:
        UsageError: naming the threshold that cannot be read and the metrics there are.
    """
    parsed = {}
    for text in texts:
        name, separator, value = text.partition("=")
        name = name.strip().lower()
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not separator or math.isnan(number):
            raise UsageError(f"--fail-under {text!r} is not of the form METRIC=VALUE", "For example ndcg@10=0.05.")
        if name not in known:
            raise UsageError(f"--fail-under: unknown metric {name!r}", f"Choose one of {', '.join(known)}.")
        parsed[name] = number
    return parsed


def check_thresholds(facts: Mapping[str, Any], thresholds: Mapping[str, float]) -> None:
    """Hold the metrics of an evaluation against thresholds.

    Args:
        facts: of :func:`stages.evaluate.evaluate`.
        thresholds: lowest accepted value by metric.

    Raises:
        QualityError: naming every metric below its threshold.
        DataError: when the facts, of an earlier run, lack a metric.
    """
    try:
        split, means = str(facts["split"]), {name: float(facts["metrics"][name]["mean"]) for name in thresholds}
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{METRICS} does not say what --fail-under asks for ({error})", "Run `cocorec evaluate` with --force."
        ) from error
    below = [
        f"{name} is {means[name]:.4f}, below {threshold:g}"
        for name, threshold in thresholds.items()
        if not means[name] >= threshold
    ]
    if below:
        raise QualityError(f"quality threshold missed on the {split} split: " + "; ".join(below))
