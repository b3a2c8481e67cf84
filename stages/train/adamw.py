"""AdamW without torch's compiler."""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim.adamw import adamw

BETAS = (0.9, 0.999)
EPSILON = 1e-8


class AdamW:
    """Adam with decoupled weight decay, on the kernels of :class:`torch.optim.AdamW` and to the bit like it.

    The class of torch loads torch's compiler (``torch._dynamo``, ``torch._inductor``), 1.0 to 1.8 CPU seconds, as
    soon as one is made; the function that it calls does not.

    Args:
        parameters: to be optimised, each a leaf.
        learning_rate: of the next step; may be set at any time.
        weight_decay: share of the weights, times the learning rate, that is taken off at each step.

    Attributes:
        state: by parameter: ``step`` (), ``exp_avg`` and ``exp_avg_sq``, both shaped as the parameter; empty for a
            parameter that never had a gradient.

    Reference: Loshchilov and Hutter, Decoupled Weight Decay Regularization, arXiv:1711.05101.
    """

    def __init__(self, parameters: Iterable[Tensor], learning_rate: float, weight_decay: float) -> None:
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.state: dict[Tensor, dict[str, Tensor]] = {parameter: {} for parameter in parameters}

    def zero_grad(self) -> None:
        """Drop the gradients of the last step."""
        for parameter in self.state:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Change the parameters that have a gradient by one step."""
        moved = [parameter for parameter in self.state if parameter.grad is not None]
        for parameter in moved:
            if not self.state[parameter]:
                self.state[parameter] = {
                    "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
                    "exp_avg": torch.zeros_like(parameter),
                    "exp_avg_sq": torch.zeros_like(parameter),
                }
        adamw(
            moved,
            [parameter.grad for parameter in moved if parameter.grad is not None],
            [self.state[parameter]["exp_avg"] for parameter in moved],
            [self.state[parameter]["exp_avg_sq"] for parameter in moved],
            [],
            [self.state[parameter]["step"] for parameter in moved],
            fused=True,
            amsgrad=False,
            beta1=BETAS[0],
            beta2=BETAS[1],
            lr=self.learning_rate,
            weight_decay=self.weight_decay,
            eps=EPSILON,
            maximize=False,
        )
