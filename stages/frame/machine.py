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
    Option("CPU threads.", MACHINE, min=1, limit=1024, metavar="N", unset="all cores", recorded=False, searched=False),
]
