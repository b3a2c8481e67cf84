"""Quality bars: metrics that must not fall below a value, so that a pipeline can stop."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from stages.artifacts.errors import QualityError, UsageError


def parse_bars(bars: Sequence[str], known: Sequence[str]) -> dict[str, float]:
    """Read bars such as ``ndcg@10=0.05``.

    Args:
        bars: as typed.
        known: names of the metrics that are computed.

    Raises:
        UsageError: naming the bar that cannot be read and the metrics there are.
    """
    parsed = {}
    for bar in bars:
        name, separator, value = bar.partition("=")
        name = name.strip().lower()
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not separator or math.isnan(number):
            raise UsageError(f"--fail-under {bar!r} is not of the form METRIC=VALUE", "For example ndcg@10=0.05.")
        if name not in known:
            raise UsageError(f"--fail-under: unknown metric {name!r}", f"Choose one of {', '.join(known)}.")
        parsed[name] = number
    return parsed


def check_bars(facts: Mapping[str, Any], bars: Mapping[str, float]) -> None:
    """Hold the metrics of an evaluation against bars.

    Args:
        facts: of :func:`stages.evaluate.evaluate`.
        bars: lowest accepted value by metric.

    Raises:
        QualityError: naming every metric below its bar.
    """
    below = [
        f"{name} is {facts['metrics'][name]['mean']:.4f}, below {bar:g}"
        for name, bar in bars.items()
        if not facts["metrics"][name]["mean"] >= bar
    ]
    if below:
        raise QualityError(f"quality bar missed on the {facts['split']} split: " + "; ".join(below))
