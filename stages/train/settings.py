"""The options of a training run, checked together."""

from dataclasses import asdict, dataclass
from typing import Any

from stages.artifacts.errors import UsageError
from stages.model.device import PRECISIONS
from stages.train.windows import TARGETS

SELECTION_METRIC = "ndcg@10"
"""By which the best epoch is chosen, on validation."""


@dataclass(frozen=True)
class Settings:
    """How to train; the sizes of the model are in :class:`stages.model.ModelConfig`.

    Attributes:
        targets: ``all`` positions of a history are targets in one pass, or the ``last`` of each prefix.
        batch_size: histories per step.
        epochs: maximum number of epochs.
        patience: epochs without a better validation NDCG@10 before stopping.
        learning_rate: peak learning rate of AdamW, reached after the warm-up.
        warmup_steps: steps of linear warm-up.
        weight_decay: of AdamW.
        ema: decay of the moving average of the weights; 0 keeps the weights themselves.
        negatives: items drawn per step; 0 for the full softmax.
        temperature: of all softmaxes.
        mcm_weight, msa_weight: a and b.
        mask_ratio: probability that a code is chosen for masking.
        mcm_softmax: rank a masked code against its own ``position`` or the whole ``table``.
        msa_same_target: histories with the same next item are negatives of each other.
        seed: decides initial weights, order, masks and dropout.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``auto``, ``float32`` or ``bfloat16``.
    """

    targets: str
    batch_size: int
    epochs: int
    patience: int
    learning_rate: float
    warmup_steps: int
    weight_decay: float
    ema: float
    negatives: int
    temperature: float
    mcm_weight: float
    msa_weight: float
    mask_ratio: float
    mcm_softmax: str
    msa_same_target: bool
    seed: int
    device: str
    precision: str

    def __post_init__(self) -> None:
        """Refuse values that fit no run.

        Raises:
            UsageError: naming the option.
        """
        choices = {"targets": tuple(TARGETS), "mcm_softmax": ("position", "table"), "precision": PRECISIONS}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise UsageError(f"{_option(name)} {getattr(self, name)!r} is unknown", f"Choose {', '.join(allowed)}.")
        least = {"batch_size": 1, "epochs": 1, "patience": 1, "warmup_steps": 0, "negatives": 0, "seed": 0}
        for name, value in {**least, "weight_decay": 0, "mcm_weight": 0, "msa_weight": 0}.items():
            if getattr(self, name) < value:
                raise UsageError(f"{_option(name)} must be at least {value}, is {getattr(self, name)}")
        for name in ("learning_rate", "temperature"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{_option(name)} must be above 0, is {getattr(self, name)}")
        if not 0 <= self.ema < 1:
            raise UsageError(f"--ema must be at least 0 and below 1, is {self.ema}", "A usual value is 0.98.")
        if not 0 < self.mask_ratio <= 1:
            raise UsageError(f"--mask-ratio must be above 0 and at most 1, is {self.mask_ratio}")

    def over(self, epoch: int, best_epoch: int) -> bool:
        """Whether a run ends after ``epoch`` epochs, the best of which was ``best_epoch`` (0 before the first)."""
        return epoch >= self.epochs or (epoch > 0 and epoch - best_epoch >= self.patience)

    def to_dict(self) -> dict[str, Any]:
        """All attributes as JSON values."""
        return asdict(self)


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
