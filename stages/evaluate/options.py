"""The options of ``evaluate``."""

from dataclasses import dataclass
from typing import Annotated

from stages.artifacts.errors import UsageError
from stages.frame.machine import MACHINE, Device, Processes, ProcessTimeout, Threads
from stages.frame.options import Option, Options
from stages.frame.scoring import NewItemBoost

SPLITS = ("test", "valid")
PRECISIONS = ("auto", "float32", "bfloat16")
PROTOCOL = "Protocol"


@dataclass(frozen=True)
class EvaluateOptions(Options):
    """What is measured, and how; see :func:`stages.evaluate.evaluate`."""

    split: Annotated[
        str, Option("Which items are to be found; histories end before them.", PROTOCOL, choices=SPLITS, common=True)
    ] = "test"
    cutoffs: Annotated[
        tuple[int, ...],
        Option(
            "The K of recall@K, ndcg@K, hit@K and map@K, in items: 5,10 or given several times.",
            PROTOCOL,
            min=1,
            metavar="K,K",
            common=True,
        ),
    ] = (5, 10, 20, 50)
    top: Annotated[
        int,
        Option(
            "Length K of the recommendation lists, in items, which are also measured beyond accuracy; 0 makes none.",
            PROTOCOL,
            min=0,
            metavar="K",
            common=True,
        ),
    ] = 10
    exclude_seen: Annotated[
        bool,
        Option(
            "Let the lists and `metrics` leave out what the user's history holds before the split; a target that it "
            "holds is a miss. Metrics of both protocols are reported in any case.",
            PROTOCOL,
            common=True,
        ),
    ] = False
    resamples: Annotated[
        int,
        Option(
            "Resamples of the users for the 95 % intervals.",
            PROTOCOL,
            min=1,
            limit=10_000_000,
            metavar="N",
            former=("bootstrap",),
        ),
    ] = 1000
    seed: Annotated[int, Option("Decides the resamples.", PROTOCOL, min=0, metavar="N")] = 0
    new_item_boost: NewItemBoost = 0.0
    batch_size: Annotated[
        int,
        Option(
            "Histories read at a time; bounds the memory.", MACHINE, min=1, limit=1 << 24, metavar="N", recorded=False
        ),
    ] = 2048
    device: Device = "auto"
    precision: Annotated[
        str, Option("Of matrix products; auto is bfloat16 on a GPU, else float32.", MACHINE, choices=PRECISIONS)
    ] = "float32"
    threads: Threads = None
    processes: Processes = None
    process_timeout: ProcessTimeout = 600.0

    def check(self) -> None:
        """Refuse no cutoffs; put them in order, each once.

        Raises:
            UsageError: naming the option.
        """
        if not self.cutoffs:
            raise UsageError("--cutoffs must be whole numbers from 1", "For example --cutoffs 5,10,20.")
        object.__setattr__(self, "cutoffs", tuple(sorted(set(self.cutoffs))))
