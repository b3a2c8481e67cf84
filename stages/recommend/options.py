"""The options of ``recommend`` and ``similar``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from stages.artifacts.errors import UsageError
from stages.frame.machine import LOCAL, MACHINE, Address, Device, Engine, Threads, check_engine
from stages.frame.options import Option, Options
from stages.frame.scoring import NewItemBoost

WHOM, WHAT, OUTPUT = "Whom", "What", "Output"

STANDARD = Path("-")
"""Standard input, or standard output."""

ENDINGS = (".parquet", ".jsonl", ".csv")
"""Of the files that ``--output`` may name."""

BatchSize = Annotated[
    int, Option("Histories read at a time; bounds the memory.", MACHINE, min=1, metavar="N", recorded=False)
]

View = Option(
    "Add columns with these texts of the items, lists as long as the lists of ids: title,brand.",
    OUTPUT,
    flags=("--with",),
    common=True,
    metavar="VIEWS",
    unset="ids alone",
)


@dataclass(frozen=True)
class RecommendOptions(Options):
    """Who gets which recommendations, and where they go; see :func:`stages.recommend.recommend`."""

    histories: Annotated[
        Path | None,
        Option(
            "Serve the users of this file instead of all users of the log; - for standard input. Any log that "
            "preprocess reads, or a table with a row per user and the columns user_id and item_ids.",
            WHOM,
            metavar="FILE",
            unset="histories.parquet",
            common=True,
        ),
    ] = None
    users: Annotated[
        tuple[str, ...],
        Option(
            "Serve only these users: ids separated by commas, or a file with one id a line or a column of them.",
            WHOM,
            metavar="FILE|IDS",
            unset="all",
            common=True,
        ),
    ] = ()
    user_column: Annotated[
        str | None,
        Option(
            "Column with the user's id in --histories and --users.",
            WHOM,
            metavar="NAME",
            unset="as in preprocess, else that of the format",
        ),
    ] = None
    item_column: Annotated[
        str | None,
        Option(
            "Column with the item's id in --histories, --candidates, --exclude and --items.",
            WHOM,
            metavar="NAME",
            unset="as in preprocess, else that of the format",
        ),
    ] = None
    time_column: Annotated[
        str | None,
        Option(
            "Column with the time in --histories; a table without it is in the order of events.",
            WHOM,
            metavar="NAME",
            unset="as in preprocess, else that of the format",
        ),
    ] = None
    top: Annotated[int, Option("Length K of the lists, in items.", WHAT, min=1, metavar="K", common=True)] = 10
    exclude_seen: Annotated[
        bool | None,
        Option(
            "Leave out what the user's history holds, or leave it in. By default a model that has learnt how often "
            "people repeat leaves it in, ranked by that, and any other leaves it out.",
            WHAT,
            flags=("--exclude-seen/--include-seen",),
            unset="the model decides",
            common=True,
        ),
    ] = None
    candidates: Annotated[
        Path | None,
        Option(
            "Recommend these items alone, such as the stock: a file with one id a line, or a table with a column of "
            "them.",
            WHAT,
            metavar="FILE",
            unset="all items",
            common=True,
        ),
    ] = None
    exclude: Annotated[
        Path | None,
        Option("Recommend none of these items; a file as for --candidates.", WHAT, metavar="FILE", unset="none"),
    ] = None
    where: Annotated[
        str | None,
        Option(
            "Recommend only items for which this SQL expression holds: \"brand = 'Fender' AND price < 50\".",
            WHAT,
            metavar="SQL",
            unset="all items",
            common=True,
        ),
    ] = None
    items: Annotated[
        Path | None,
        Option(
            "Table with the columns that --where names, such as the item metadata that preprocess read.",
            WHAT,
            metavar="FILE",
            unset="items.parquet, which has the texts",
        ),
    ] = None
    model_from: Annotated[
        Path | None,
        Option(
            "Recommend with the model in this folder, the model/ of another work directory or a copy of it from a hub, "
            "instead of the one here; items are known by their texts and codes, or by their ids.",
            WHAT,
            metavar="FOLDER",
            files="folder",
            unset="model/",
            recorded=False,
        ),
    ] = None
    new_item_boost: NewItemBoost = 0.0
    with_views: Annotated[tuple[str, ...], View] = ()
    output: Annotated[
        Path | None,
        Option(
            "Write here instead: a file that ends in .parquet, .jsonl (a user a line) or .csv (a recommendation a "
            "line), or - for JSON lines on standard output.",
            OUTPUT,
            metavar="FILE",
            unset="recommendations.parquet",
            recorded=False,
            common=True,
        ),
    ] = None
    batch_size: BatchSize = 2048
    device: Device = "auto"
    threads: Threads = None
    engine: Engine = LOCAL
    address: Address = None

    def check(self) -> None:
        """Refuse an output of no known kind, metadata without a condition, and an address without a cluster.

        Raises:
            UsageError: naming the option.
        """
        check_engine(self.engine, self.address)
        if self.items is not None and self.where is None:
            raise UsageError("--items needs --where", "Give a condition on its columns, or leave it out.")
        check_output(self.output)


@dataclass(frozen=True)
class SimilarOptions(Options):
    """Which items get neighbours, and by what; see :func:`stages.recommend.similar`."""

    item_ids: Annotated[
        tuple[str, ...],
        Option("Ids of items.", WHAT, metavar="[ITEM_ID]...", argument=True),
    ] = ()
    all: Annotated[bool, Option("Neighbours of every item of the catalogue.", WHAT, switch=True)] = False
    top: Annotated[int, Option("How many neighbours an item gets.", WHAT, min=1, metavar="K")] = 10
    by: Annotated[
        str,
        Option(
            "model: cosine of the vectors that the model gives the items as candidates; text: cosine of the text "
            "embeddings, all views weighed equally.",
            WHAT,
            choices=("model", "text"),
        ),
    ] = "model"
    with_views: Annotated[tuple[str, ...], View] = ()
    output: Annotated[
        Path | None,
        Option(
            "Write here instead of printing: a file that ends in .parquet, .jsonl or .csv.",
            OUTPUT,
            metavar="FILE",
            unset="a table",
        ),
    ] = None
    device: Device = "auto"
    threads: Threads = None

    def check(self) -> None:
        """Refuse no items, and items beside all of them.

        Raises:
            UsageError: naming the option.
        """
        if self.all == bool(self.item_ids):
            raise UsageError("name items, or take them with --all", "For example cocorec similar B001 B002.")
        if self.output == STANDARD:
            raise UsageError("--output - is not known here", "Leave it out, or take --json.")
        check_output(self.output)


def check_output(output: Path | None) -> None:
    """Refuse a file whose ending names no format.

    Raises:
        UsageError: naming the endings.
    """
    if output is not None and output != STANDARD and output.suffix not in ENDINGS:
        raise UsageError(f"--output {output}: unknown ending", f"Let it end in {', '.join(ENDINGS)}.")
