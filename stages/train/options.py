"""The options of ``train``."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from stages.artifacts.errors import UsageError
from stages.frame.log_place import LOGS
from stages.frame.machine import MACHINE, Device, Processes, ProcessTimeout, Threads
from stages.frame.options import Option, Options
from stages.model.config import require_divisors
from stages.model.registry import BACKBONES, MODELS, choices_help

SELECTION_METRIC = "ndcg@10"
"""By which the best epoch is chosen, on validation."""

MODEL = "Model"
LOSSES = "Losses"
OPTIMIZATION = "Optimization"
LOGGING = "Logging"
TARGETS = ("all", "last")
SOFTMAXES = ("position", "table")
PRECISIONS = ("auto", "float32", "bfloat16")

_WAITED, _STEPS_WAITED, _MOST_WAITED = 5, 250, 20
"""How long the default of ``--patience`` waits: epochs, or the steps of more epochs, up to so many."""

_AS_BEFORE = {"new_item_rate": 0.0, "unseen_negatives": True, "cooccurrence_bias": False, "calibrate": False}
"""How version 0.1 trained, whose lineages say nothing of these options."""


@dataclass(frozen=True)
class TrainOptions(Options):
    """Which model, of which sizes, and how it is trained; see :func:`stages.train.train`."""

    model: Annotated[
        str,
        Option(choices_help(MODELS), MODEL, choices=tuple(MODELS), common=True),
    ] = "text"
    backbone: Annotated[
        str, Option(f"What reads the history. {choices_help(BACKBONES)}", MODEL, choices=tuple(BACKBONES))
    ] = "transformer"
    dim: Annotated[
        int, Option("Width of the model, in dimensions.", MODEL, min=1, limit=65536, metavar="D", common=True)
    ] = 128
    layers: Annotated[
        int, Option("Layers of the backbone, which reads the history.", MODEL, min=1, limit=1024, metavar="N")
    ] = 2
    heads: Annotated[int, Option("Attention heads of the backbone.", MODEL, min=1, limit=65536, metavar="N")] = 2
    ffn_dim: Annotated[
        int,
        Option("Hidden dimensions of the backbone's feed-forward part.", MODEL, min=1, limit=1 << 20, metavar="D"),
    ] = 256
    fusion_layers: Annotated[
        int,
        Option(
            "Layers of the code-guided fusion; 0 adds the codes as they are.", MODEL, min=0, limit=1024, metavar="N"
        ),
    ] = 0
    fusion_heads: Annotated[int, Option("Attention heads of the fusion.", MODEL, min=1, limit=65536, metavar="N")] = 2
    fusion_ffn_dim: Annotated[
        int,
        Option(
            "Hidden dimensions of the item encoder, and of the fusion's feed-forward part.",
            MODEL,
            min=1,
            limit=1 << 20,
            metavar="D",
        ),
    ] = 1024
    experts: Annotated[int, Option("Experts of the mixture in unisrec.", MODEL, min=1, limit=1024, metavar="N")] = 8
    text_dim: Annotated[
        int,
        Option("Dimensions to which each view's vectors are whitened.", MODEL, min=1, limit=65536, metavar="D"),
    ] = 128
    max_history: Annotated[
        int,
        Option(
            "Longest history read, in items; older ones are left out.",
            MODEL,
            min=1,
            limit=1 << 20,
            metavar="N",
            common=True,
        ),
    ] = 20
    dropout: Annotated[float, Option("Dropout probability of the backbone.", MODEL, min=0, below=1, metavar="P")] = 0.3
    fusion_dropout: Annotated[
        float, Option("Dropout probability of the item encoder.", MODEL, min=0, below=1, metavar="P")
    ] = 0.1
    learnable_mask: Annotated[bool, Option("Train [MASK] as an input; the authors' code does not.", MODEL)] = True
    repeat_bias: Annotated[
        bool, Option("Learn by how much items of the history rank lower or higher; the paper does not.", MODEL)
    ] = True
    text_residual: Annotated[
        bool,
        Option(
            "Let the texts reach an item's vector directly too, not through the codes alone as in the paper.", MODEL
        ),
    ] = True
    with_ids: Annotated[
        bool,
        Option(
            "Add a free vector per item beside its texts or codes; that of an item without training is zero.", MODEL
        ),
    ] = True
    new_item_rate: Annotated[
        float,
        Option(
            "Probability that a step treats an item as if it came later: without its free vector and without counts, "
            "so that texts and codes learn to do without.",
            MODEL,
            min=0,
            below=1,
            metavar="P",
            former=("id_dropout",),
        ),
    ] = 0.1
    cooccurrence_bias: Annotated[
        bool,
        Option(
            "Learn by how much candidates rank higher that often stood near the last items of the history; the paper "
            "does not.",
            MODEL,
        ),
    ] = True
    cooccurrence_items: Annotated[
        int,
        Option("Last items of the history that the co-occurrence bias asks.", MODEL, min=1, limit=1024, metavar="N"),
    ] = 5
    cooccurrence_partners: Annotated[
        int,
        Option(
            "Most partners that an item keeps for the co-occurrence bias.", MODEL, min=1, limit=1 << 20, metavar="N"
        ),
    ] = 100
    calibrate: Annotated[
        bool,
        Option(
            "After training, choose on validation how much counts of pairs weigh, and how much higher items rank whose "
            "texts are near those of the last items; the paper does not.",
            MODEL,
        ),
    ] = True
    unseen_negatives: Annotated[
        bool,
        Option(
            "Rank also against items that training never sees, which pushes them away. Without, models of texts or "
            "codes can rank them; sasrec, which cannot, always does.",
            LOSSES,
        ),
    ] = False
    negatives: Annotated[
        int,
        Option(
            "Items drawn per step to rank against, beside the batch's targets; 0 is the whole catalogue.",
            LOSSES,
            min=0,
            metavar="N",
        ),
    ] = 0
    temperature: Annotated[
        float, Option("Divides the cosines in all losses.", LOSSES, above=0, limit=1000, metavar="T")
    ] = 0.07
    mcm_weight: Annotated[
        float,
        Option(
            "Weight of masked code modelling (a), which needs fusion layers.", LOSSES, min=0, limit=10_000, metavar="A"
        ),
    ] = 0.0
    msa_weight: Annotated[
        float, Option("Weight of masked sequence alignment (b).", LOSSES, min=0, limit=10_000, metavar="B")
    ] = 0.0
    mask_ratio: Annotated[
        float, Option("Probability that a code is chosen for masking.", LOSSES, above=0, limit=1, metavar="P")
    ] = 0.5
    mcm_softmax: Annotated[
        str,
        Option(
            "Rank a masked code against the codes of its position, or all codes as the authors do.",
            LOSSES,
            choices=SOFTMAXES,
        ),
    ] = "position"
    msa_same_target: Annotated[
        bool,
        Option("Keep histories with the same next item as negatives of each other, as the authors do.", LOSSES),
    ] = False
    init_from: Annotated[
        Path | None,
        Option(
            "Start from the weights of the model in this work directory, which may be the same one; items are matched "
            "by their ids.",
            OPTIMIZATION,
            metavar="FOLDER",
            files="folder",
            unset="random weights",
            recorded=False,
            searched=False,
        ),
    ] = None
    targets: Annotated[
        str,
        Option(
            "All positions of a history are targets in one pass, or one row per prefix.", OPTIMIZATION, choices=TARGETS
        ),
    ] = "all"
    batch_size: Annotated[
        int, Option("Histories per step.", OPTIMIZATION, min=1, limit=1 << 24, metavar="N", common=True)
    ] = 512
    epochs: Annotated[int, Option("Maximum number of epochs.", OPTIMIZATION, min=1, metavar="N", common=True)] = 200
    patience: Annotated[
        int | None,
        Option(
            "Epochs without a better validation NDCG@10 before stopping.",
            OPTIMIZATION,
            min=1,
            metavar="N",
            unset="5, on little data as many as take 250 steps, at most 20",
        ),
    ] = None
    learning_rate: Annotated[
        float, Option("Peak learning rate of AdamW.", OPTIMIZATION, above=0, limit=1e6, metavar="X", common=True)
    ] = 0.004
    warmup_steps: Annotated[
        int, Option("Steps over which the learning rate rises from 0.", OPTIMIZATION, min=0, metavar="N")
    ] = 100
    weight_decay: Annotated[float, Option("Weight decay of AdamW.", OPTIMIZATION, min=0, limit=1000, metavar="X")] = (
        1e-4
    )
    ema: Annotated[
        float,
        Option(
            "Decay per step of the moving average of the weights, which is validated and kept; 0 turns it off.",
            OPTIMIZATION,
            min=0,
            below=1,
            metavar="X",
        ),
    ] = 0.98
    seed: Annotated[
        int,
        Option(
            "Decides initial weights, order, masks and dropout.",
            OPTIMIZATION,
            min=0,
            metavar="N",
            searched=False,
            common=True,
        ),
    ] = 0
    resume: Annotated[
        bool | None,
        Option(
            "Insist on continuing an interrupted run, or on starting afresh.",
            OPTIMIZATION,
            unset="continue if there is one of the same options and inputs",
            recorded=False,
            searched=False,
        ),
    ] = None
    log: Annotated[
        str | None,
        Option(
            "Show losses, metrics, learning rate and speed by epoch in TensorBoard or MLflow.",
            LOGGING,
            choices=LOGS,
            unset="only as text",
            recorded=False,
            searched=False,
        ),
    ] = None
    log_to: Annotated[
        str | None,
        Option(
            "Folder of TensorBoard, or tracking address of MLflow.",
            LOGGING,
            metavar="PLACE",
            unset="in the work directory: tensorboard/ or mlflow.db; MLFLOW_TRACKING_URI where it is set",
            recorded=False,
            searched=False,
        ),
    ] = None
    log_name: Annotated[
        str | None,
        Option(
            "Name of the run in TensorBoard or MLflow.",
            LOGGING,
            metavar="NAME",
            unset="the model and a fingerprint of options and data",
            recorded=False,
            searched=False,
        ),
    ] = None
    device: Device = "auto"
    precision: Annotated[
        str,
        Option(
            "Of matrix products; auto is bfloat16 on a GPU, else float32.",
            MACHINE,
            choices=PRECISIONS,
            searched=False,
        ),
    ] = "auto"
    threads: Threads = None
    processes: Processes = None
    process_timeout: ProcessTimeout = 600.0

    def check(self) -> None:
        """Refuse options that do not fit each other.

        Raises:
            UsageError: naming the option.
        """
        require_divisors(self.dim, heads=self.heads, fusion_heads=self.fusion_heads if self.fusion_layers else 1)
        if self.log is None and (self.log_to or self.log_name):
            flag = "--log-to" if self.log_to else "--log-name"
            raise UsageError(f"{flag} says where nothing goes", f"Add --log {' or --log '.join(LOGS)}.")
        if self.log_name is not None and (not self.log_name.strip(". ") or "/" in self.log_name):
            raise UsageError(f"--log-name {self.log_name!r} is no name of a folder", "Choose one without a slash.")
        if self.mcm_weight and not self.fusion_layers:
            raise UsageError(
                "--mcm-weight needs layers in which codes see each other, and --fusion-layers is 0",
                "Give --fusion-layers 1, or leave --mcm-weight out.",
            )

    def recorded(self) -> dict[str, Any]:
        """What the lineage records; options of later versions are left out where they change nothing."""
        found = super().recorded()
        if not self.cooccurrence_bias:
            del found["cooccurrence_items"], found["cooccurrence_partners"]
        for name, value in _AS_BEFORE.items():
            if found[name] == value:
                del found[name]
        return found

    def waits(self, steps: int) -> int:
        """Epochs of so many steps without a better validation before stopping.

        Where epochs are short, a few of them say little: the loss can stand still for 100 steps and fall again.
        """
        return self.patience or min(_MOST_WAITED, max(_WAITED, math.ceil(_STEPS_WAITED / steps)))

    def over(self, epoch: int, best_epoch: int, steps: int) -> bool:
        """Whether a run ends after ``epoch`` epochs of ``steps`` steps, the best of which was ``best_epoch``, or 0."""
        return epoch >= self.epochs or (epoch > 0 and epoch - best_epoch >= self.waits(steps))
