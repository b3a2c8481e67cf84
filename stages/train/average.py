"""An exponential moving average of the weights, which is what is validated and kept."""

from typing import Any, cast

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from stages.model.base import LearnedModel


class WeightAverage:
    """The average of a model's weights over the last steps, which wobbles less than the weights themselves.

    Args:
        model: whose weights are averaged.
        decay: share of the average that stays at each step, in [0, 1); 0.98 looks back about 50 steps, 0 follows the
            model. It rises to that value over the first steps, so that the random start is soon forgotten.

    Reference: Polyak and Juditsky, Acceleration of stochastic approximation by averaging, 1992.
    """

    def __init__(self, model: LearnedModel, decay: float) -> None:
        def update(averaged: Any, current: Any, _: Tensor | int) -> None:
            # The count that is handed in lies on the device, which would have to be waited for; this one does not.
            steps = float(self._averaged.n_averaged)
            torch._foreach_lerp_(averaged, current, 1 - min(decay, (1 + steps) / (10 + steps)))

        self._averaged = AveragedModel(model, multi_avg_fn=torch.no_grad()(update))

    @property
    def model(self) -> LearnedModel:
        """The model with averaged weights."""
        return cast(LearnedModel, self._averaged.module)

    def update(self, model: LearnedModel) -> None:
        """Take in the weights after a step."""
        self._averaged.update_parameters(model)

    def state(self) -> dict[str, Tensor]:
        """All that :meth:`restore` needs."""
        return dict(self._averaged.state_dict())

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from what :meth:`state` gave."""
        self._averaged.load_state_dict(state)
