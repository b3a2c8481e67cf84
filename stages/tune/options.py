"""The options of ``tune``."""

from dataclasses import dataclass
from typing import Annotated

from stages.frame.options import Option, Options

BUDGET = "Budget"
GENERAL = "General"


@dataclass(frozen=True)
class TuneOptions(Options):
    """How long is searched, and how; see :func:`stages.tune.tune`."""

    trials: Annotated[
        int | None,
        Option(
            "Finished trials that the search shall have, those of earlier runs included.",
            BUDGET,
            min=1,
            metavar="N",
            unset="30, or no limit with --minutes",
            common=True,
        ),
    ] = None
    minutes: Annotated[
        float | None,
        Option(
            "Minutes that this run may take; the epoch at hand is finished, the trial goes on in the next run.",
            BUDGET,
            above=0,
            metavar="X",
            unset="no limit",
            common=True,
        ),
    ] = None
    seeds: Annotated[
        int,
        Option(
            "Training runs per trial, with consecutive seeds; their mean counts.",
            BUDGET,
            min=1,
            limit=10_000,
            metavar="N",
        ),
    ] = 1
    startup_trials: Annotated[int, Option("Complete trials before any is ended early.", BUDGET, min=1, metavar="N")] = 5
    warmup_epochs: Annotated[
        int, Option("Epochs that every trial is given before it may be ended early.", BUDGET, min=0, metavar="N")
    ] = 5
    seed: Annotated[
        int, Option("Of the sampler; that of training is an option of train.", BUDGET, min=0, metavar="N")
    ] = 0
    resume: Annotated[
        bool | None,
        Option(
            "Insist on continuing a search, or delete it and begin anew.",
            GENERAL,
            unset="continue if there is one; refuse if it is another",
        ),
    ] = None
