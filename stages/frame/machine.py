"""Options that several stages have, about the machine they run on."""

from typing import Annotated

from stages.frame.options import Option

MACHINE = "Machine"
"""Help panel of what depends on the machine."""

Device = Annotated[
    str,
    Option(
        "auto, cpu, cuda, cuda:N or mps; auto takes an NVIDIA GPU when there is one, and mps is unmeasured.",
        MACHINE,
        metavar="NAME",
        searched=False,
        common=True,
    ),
]

Threads = Annotated[
    int | None,
    Option(
        "CPU threads; equal numbers give equal bytes.",
        MACHINE,
        min=1,
        limit=1024,
        metavar="N",
        unset="all cores",
        recorded=False,
        searched=False,
    ),
]

Processes = Annotated[
    int | None,
    Option(
        "Processes of this machine that share the work, one a GPU; torchrun starts those of several machines.",
        MACHINE,
        min=1,
        limit=1024,
        metavar="N",
        unset="1, or those of torchrun",
        recorded=False,
        searched=False,
    ),
]

ProcessTimeout = Annotated[
    float,
    Option(
        "Seconds after which a process that does not answer the others ends the run.",
        MACHINE,
        above=0,
        limit=1e6,
        metavar="S",
        recorded=False,
        searched=False,
    ),
]
