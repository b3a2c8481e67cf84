"""Options that several stages have, about the machine they run on."""

from typing import Annotated

from stages.artifacts.errors import UsageError
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

OwnProcesses = Annotated[
    int | None,
    Option(
        "Processes of this machine that share the work, one a GPU, or on CPUs with a share of the threads each.",
        MACHINE,
        min=1,
        limit=1024,
        metavar="N",
        unset="1",
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

LOCAL, RAY = "local", "ray"

Engine = Annotated[
    str,
    Option(
        "What computes: local, this process; ray, the workers of a Ray cluster, with the same results (needs an "
        "extra).",
        MACHINE,
        choices=(LOCAL, RAY),
        recorded=False,
        searched=False,
    ),
]

Address = Annotated[
    str | None,
    Option(
        "With --engine ray, the cluster: HOST:PORT of its head, or auto for the one that this machine belongs to.",
        MACHINE,
        metavar="ADDRESS",
        unset="one on this machine for this run",
        recorded=False,
        searched=False,
    ),
]


def check_engine(engine: str, address: str | None, processes: int | None = None) -> None:
    """Refuse an address that nothing would use or of another protocol, and processes beside a cluster.

    Raises:
        UsageError: naming the option.
    """
    if engine == RAY and processes is not None:
        raise UsageError(
            "--processes and --engine ray both share out the work", "Leave one out: a cluster uses all that it has."
        )
    if address is None:
        return
    if engine != RAY:
        raise UsageError("--address is that of a Ray cluster", "Add --engine ray, or leave it out.")
    host, colon, port = address.rpartition(":")
    if address != "auto" and not (colon and host and port.isdecimal() and "/" not in host):
        raise UsageError(
            f"--address {address} is no address of a Ray cluster",
            "Give HOST:PORT, as `ray start --head` prints it, or auto.",
        )
