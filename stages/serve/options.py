"""The options of ``serve``."""

from dataclasses import dataclass
from typing import Annotated

from stages.artifacts.errors import UsageError
from stages.frame.machine import Device, Threads
from stages.frame.options import Option, Options
from stages.frame.scoring import NewItemBoost

EXACT, INDEX = "exact", "index"
"""Ways to search."""

WHERE, ANSWERS, LIMITS = "Where", "Answers", "Limits"


@dataclass(frozen=True)
class ServeOptions(Options):
    """Where the server listens, what it answers, and how much it takes on; see :func:`stages.serve.serve`."""

    host: Annotated[
        str,
        Option(
            "Address to listen at. The default is reached from this machine alone; there is no login, so put a proxy "
            "in front before you choose another.",
            WHERE,
            metavar="ADDRESS",
            common=True,
        ),
    ] = "127.0.0.1"
    port: Annotated[int, Option("Port; 0 takes a free one.", WHERE, min=0, max=65_535, metavar="N", common=True)] = 8000
    poll_seconds: Annotated[
        float,
        Option("Seconds between looks at the work directory for a new model.", WHERE, min=0.1, max=86_400, metavar="S"),
    ] = 2.0
    top: Annotated[
        int, Option("Length of the lists where a request asks for none.", ANSWERS, min=1, metavar="K", common=True)
    ] = 10
    with_views: Annotated[
        tuple[str, ...],
        Option(
            "Add these texts of the items to each answer: title,brand.",
            ANSWERS,
            flags=("--with",),
            metavar="VIEWS",
            unset="ids alone",
            common=True,
        ),
    ] = ()
    search: Annotated[
        str,
        Option(
            "exact: all items are scored for each request; index: those that export/index.faiss finds, which "
            "cocorec export makes.",
            ANSWERS,
            choices=(EXACT, INDEX),
        ),
    ] = EXACT
    similar_by: Annotated[
        str,
        Option(
            "What /similar compares: the vectors that the model gives the items as candidates, or the text embeddings.",
            ANSWERS,
            choices=("model", "text"),
        ),
    ] = "model"
    new_item_boost: NewItemBoost = 0.0
    max_top: Annotated[
        int, Option("Longest list that a request may ask for.", LIMITS, min=1, max=100_000, metavar="K")
    ] = 1000
    max_ids: Annotated[
        int,
        Option("Most ids in a request's history, candidates and exclude each.", LIMITS, min=1, metavar="N"),
    ] = 10_000
    max_body: Annotated[
        int, Option("Largest body of a request, in KiB.", LIMITS, min=1, max=100_000, metavar="KIB")
    ] = 1024
    max_batch: Annotated[int, Option("Most requests ranked at once.", LIMITS, min=1, max=4096, metavar="N")] = 64
    max_waiting: Annotated[
        int,
        Option("Requests at work or waiting; further ones get 429 at once.", LIMITS, min=1, max=65_536, metavar="N"),
    ] = 256
    max_connections: Annotated[
        int, Option("Open connections; further ones are closed.", LIMITS, min=1, max=65_536, metavar="N")
    ] = 512
    request_seconds: Annotated[
        float,
        Option(
            "Seconds that a client has for the head of a request, again for its body, and an answer for being ranked.",
            LIMITS,
            min=0.1,
            max=3600,
            metavar="S",
        ),
    ] = 10.0
    drain_seconds: Annotated[
        float,
        Option(
            "Seconds that requests at work have to end after SIGTERM or Ctrl-C.", LIMITS, min=0, max=3600, metavar="S"
        ),
    ] = 30.0
    device: Device = "auto"
    threads: Threads = None

    def check(self) -> None:
        """Refuse a default list that no request may ask for.

        Raises:
            UsageError: naming the options.
        """
        if self.top > self.max_top:
            raise UsageError(f"--top {self.top} is above --max-top {self.max_top}", "Raise --max-top.")
