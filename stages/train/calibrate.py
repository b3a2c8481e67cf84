"""Chooses on validation what training cannot weigh: :class:`stages.model.calibration.Calibration`."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from stages.frame.reporter import Reporter
from stages.model.calibration import Calibration
from stages.model.ranking import Queries, target_ranks
from stages.model.recommender import Recommender

TEXT_WEIGHTS = (0.0, 0.03, 0.06, 0.1, 0.15, 0.2)
PAIR_FACTORS = (1.0, 1.2, 1.4, 1.7, 2.0)

_TARGETS = 20_000
"""Targets of the validation split that are looked at; their number bounds the time that the choice takes."""

_MOST_ITEMS = 200_000
"""Items whose nearest by text are looked for; the work grows with their square."""


@dataclass
class Search:
    """Tries values, one number after the other.

    Attributes:
        model: with its learned weights, on its device.
        items: ``Sequences.items`` as int64 on the same device.
        wanted: the targets that are looked at.
        best: NDCG@10 of each target with the values that the model has.
    """

    model: Recommender
    items: Tensor
    wanted: Queries
    best: npt.NDArray[np.float64]

    def over(self, number: Tensor, values: tuple[float, ...]) -> None:
        """Give a number () the value with the best mean, the one that it has if none is better."""
        kept = round(float(number), 6)
        for value in values:
            if value != kept:
                number.fill_(value)
                found = gains(self.model, self.items, self.wanted)
                if found.mean() > self.best.mean():
                    kept, self.best = value, found
        number.fill_(kept)


def calibrate(model: Recommender, items: Tensor, wanted: Queries, reporter: Reporter) -> dict[str, Any]:
    """Choose the numbers of a model's calibration, which stay as they are unless others are better by more than chance.

    Args:
        model: with its learned weights, on its device.
        items: ``Sequences.items`` as int64 on the same device.
        wanted: targets of the validation split.
        reporter: is told what was chosen.

    Returns:
        What was chosen, as JSON values; empty for a model with nothing to choose.
    """
    calibration = model.calibration
    if calibration is None:
        return {}
    wanted = _sample(wanted)
    before = gains(model, items, wanted)
    search = Search(model, items, wanted, before)
    texts = model.texts if model.config.items <= _MOST_ITEMS else None
    if texts is not None:
        calibration.find(texts)
        search.over(calibration.text_weight, TEXT_WEIGHTS)
    elif model.texts is not None:
        reporter.info(f"more than {_MOST_ITEMS:,} items: their neighbours by text are not looked for")
    if model.pairs is not None:
        search.over(calibration.pair_factor, PAIR_FACTORS)
        if texts is not None:
            search.over(calibration.text_weight, TEXT_WEIGHTS)
    gain = search.best - before
    if gain.mean() <= gain.std() / np.sqrt(len(gain)):
        calibration.text_weight.zero_()
        calibration.pair_factor.fill_(1.0)
    if not calibration.text_weight:
        calibration.forget()
    return _told(calibration, before.mean(), search.best.mean(), reporter)


def gains(model: Recommender, items: Tensor, wanted: Queries) -> npt.NDArray[np.float64]:
    """NDCG@10 (R,) of single targets."""
    ranks = target_ranks(model.eval(), items, wanted)
    return np.where(ranks <= 10, 1 / np.log2(1 + ranks), 0.0)


def _sample(wanted: Queries) -> Queries:
    count = len(wanted.target)
    if count <= _TARGETS:
        return wanted
    chosen = np.sort(np.random.default_rng(0).choice(count, _TARGETS, replace=False))
    return Queries(**{field.name: getattr(wanted, field.name)[chosen] for field in fields(Queries)})


def _told(calibration: Calibration, before: float, after: float, reporter: Reporter) -> dict[str, Any]:
    found = {
        "text_weight": round(float(calibration.text_weight), 6),
        "pair_factor": round(float(calibration.pair_factor), 6),
    }
    if found == {"text_weight": 0.0, "pair_factor": 1.0}:
        said = (
            f"left as learned, the best values gain no more than chance; "
            f"validation ndcg@10 {before:.4f}, with them {after:.4f}"
        )
    else:
        said = (
            f"neighbours by text weigh {found['text_weight']:g}, counts of pairs {found['pair_factor']:g} "
            f"times what was learned; validation ndcg@10 {before:.4f} before, {after:.4f} now"
        )
    reporter.info(f"calibration: {said}")
    return found
