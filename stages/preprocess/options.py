"""The options of ``preprocess``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from stages.artifacts.errors import UsageError
from stages.frame.machine import LOCAL, Address, Engine, Threads, check_engine
from stages.frame.options import Option, Options, defaults
from stages.preprocess import text_tables

FILES = "Files"
COLUMNS = "Columns"
FILTERS = "Filters"
SPLIT = "Split"

AUTO = "auto"
"""Asks for the format that the files are recognised as, or for the split that comes with them."""

LOG_FORMATS = (
    AUTO,
    "amazon-2023-benchmark",
    "amazon-2023",
    "amazon-2023-ratings",
    "amazon-2018",
    "amazon-2014",
    "movielens",
    "recbole-benchmark",
    "recbole",
    "table",
)
ITEM_FORMATS = (AUTO, "amazon-2023", "amazon-2018", "amazon-2014", "movielens", "recbole", "table")

LEAVE_ONE_OUT, TEMPORAL = "leave-one-out", "temporal"
SPLITS = (AUTO, LEAVE_ONE_OUT, TEMPORAL)
TARGETS = ("first", "last", "all")
ALL = "all"
REPEATS = (ALL, "first", "last")

_LATER = ("repeats", "null_values", "columns", "no_header", "items_columns", "items_no_header")
"""Options that version 0.2.0 did not have, whose defaults are more than nothing."""

Moment = str | int
"""An ISO date or time, or a number in the unit of the log."""


@dataclass(frozen=True)
class PreprocessOptions(Options):
    """How a log and item metadata become histories and items; see :func:`stages.preprocess.preprocess`."""

    inputs: Annotated[
        tuple[Path, ...],
        Option(
            "The interaction log, of one format: files, folders, patterns such as 'logs/*.csv', or addresses "
            "(https://, s3://, gs://). Of a published split the training file is enough; the others are found beside "
            "it.",
            FILES,
            metavar="LOG...",
            argument=True,
        ),
    ]
    items: Annotated[
        tuple[Path, ...],
        Option(
            "File, folder, pattern or address with the texts of the items; may be repeated.",
            FILES,
            metavar="FILE",
            unset="no texts",
            common=True,
        ),
    ] = ()
    format: Annotated[
        str,
        Option(
            "Format of the log; auto recognises it and says what it found.", FILES, choices=LOG_FORMATS, common=True
        ),
    ] = AUTO
    items_format: Annotated[str, Option("Format of the texts of the items.", FILES, choices=ITEM_FORMATS)] = AUTO
    user_column: Annotated[
        str | None,
        Option(
            "Column of the log with the user's id.", COLUMNS, metavar="NAME", unset="that of the format", common=True
        ),
    ] = None
    item_column: Annotated[
        str | None,
        Option(
            "Column of the log with the item's id.", COLUMNS, metavar="NAME", unset="that of the format", common=True
        ),
    ] = None
    time_column: Annotated[
        str | None,
        Option(
            "Column of the log with the time, a number or a date; a table without it is in the order of events.",
            COLUMNS,
            metavar="NAME",
            unset="that of the format",
            common=True,
        ),
    ] = None
    rating_column: Annotated[
        str | None,
        Option(
            "Column of the log with the rating; read only with --rating-min.",
            COLUMNS,
            metavar="NAME",
            unset="that of the format",
        ),
    ] = None
    time_format: Annotated[
        str | None,
        Option(
            "How the times of the log are written, where it is neither a number nor year first: "
            "'%d.%m.%Y %H:%M' for 31.5.2024 12:00, '%m/%d/%Y %I:%M %p' for 5/31/2024 12:00 PM.",
            COLUMNS,
            metavar="FORMAT",
            unset="recognised",
        ),
    ] = None
    null_values: Annotated[
        tuple[str, ...],
        Option(
            "Words that stand for nothing, in ids, times, ratings and texts: 'NULL,nan,\\N'. Without them such ids "
            "are counted and warned of.",
            COLUMNS,
            metavar="WORDS",
            unset="none; what is empty stands for nothing",
        ),
    ] = ()
    items_id_column: Annotated[
        str | None,
        Option("Column of --items with the item's id.", COLUMNS, metavar="NAME", unset="named as in the log"),
    ] = None
    views: Annotated[
        tuple[str, ...] | None,
        Option(
            "Text columns of --items to keep, in this order: title,brand or given several times; NAME=COLUMN renames.",
            COLUMNS,
            metavar="NAMES",
            unset="those of the format; of a table all texts",
            common=True,
        ),
    ] = None
    view_template: Annotated[
        tuple[str, ...],
        Option(
            "A further view put together from columns: 'text=title: {title}[ by {brand}]'. What stands in square "
            "brackets is left out where its column has no text; without a text outside of them there is no view. May "
            "be repeated.",
            COLUMNS,
            metavar="NAME=TEMPLATE",
            unset="none",
            separated=False,
        ),
    ] = ()
    separator: Annotated[str | None, text_tables.separator("the log")] = None
    quote: Annotated[str | None, text_tables.quote("the log")] = None
    escape: Annotated[str | None, text_tables.escape("the log")] = None
    columns: Annotated[tuple[str, ...], text_tables.columns("the log")] = ()
    no_header: Annotated[bool, text_tables.no_header("the log", "--columns")] = False
    items_separator: Annotated[str | None, text_tables.separator("--items")] = None
    items_quote: Annotated[str | None, text_tables.quote("--items")] = None
    items_escape: Annotated[str | None, text_tables.escape("--items")] = None
    items_columns: Annotated[tuple[str, ...], text_tables.columns("--items")] = ()
    items_no_header: Annotated[bool, text_tables.no_header("--items", "--items-columns")] = False
    extend: Annotated[
        Path | None,
        Option(
            "Keep the numbers that items have in the items.parquet of this work directory, which may be the same one, "
            "and let new items come after them.",
            FILES,
            metavar="FOLDER",
            files="folder",
            unset="number items anew",
            recorded=False,
            searched=False,
        ),
    ] = None
    keep_cold_items: Annotated[
        bool,
        Option(
            "Keep items that occur in --items alone, as candidates that nobody has taken yet.", FILTERS, switch=True
        ),
    ] = False
    where: Annotated[
        str | None,
        Option(
            "Drop interactions for which this SQL expression on the columns of the log does not hold: "
            "\"event = 'purchase' AND price > 0\".",
            FILTERS,
            metavar="SQL",
            unset="keep all",
        ),
    ] = None
    rating_min: Annotated[
        float | None, Option("Drop interactions rated lower, or not rated.", FILTERS, metavar="X", unset="keep all")
    ] = None
    since: Annotated[
        Moment | None,
        Option(
            "Drop interactions before this moment: 2024-05-31, 2024-05-31T12:00:00Z or a number in the log's unit.",
            FILTERS,
            metavar="TIME",
            unset="keep all",
        ),
    ] = None
    until: Annotated[
        Moment | None,
        Option("Drop interactions at this moment and later.", FILTERS, metavar="TIME", unset="keep all"),
    ] = None
    repeats: Annotated[
        str,
        Option(
            "Which of a user's interactions with one item to keep; first and last drop the others before the k-core "
            "filter.",
            FILTERS,
            choices=REPEATS,
        ),
    ] = ALL
    k_core: Annotated[
        int | None,
        Option(
            "Keep users and items with at least this many interactions, until it holds for all; 0 keeps everything.",
            FILTERS,
            min=0,
            metavar="K",
            unset="5; 0 for a published split",
            common=True,
        ),
    ] = None
    sample_users: Annotated[
        int | None,
        Option(
            "Keep only this many users, drawn after the k-core filter.",
            FILTERS,
            min=1,
            metavar="N",
            unset="all users",
        ),
    ] = None
    cold_items: Annotated[
        float | None,
        Option(
            "Share of the items, drawn at random, that training never sees: they leave the training parts and stay "
            "candidates, and targets where they stand in validation or test.",
            SPLIT,
            above=0,
            below=1,
            metavar="X",
            unset="none",
        ),
    ] = None
    seed: Annotated[
        int, Option("Seed of the draw of users and of cold items.", FILTERS, min=0, metavar="N", searched=False)
    ] = 0
    split: Annotated[
        str,
        Option(
            "auto keeps a published split, else leaves one out. leave-one-out: each user's last item is for test, the "
            "one before for validation; training sees what other users did later. temporal: training ends at one "
            "moment for all users.",
            SPLIT,
            choices=SPLITS,
            common=True,
        ),
    ] = AUTO
    targets: Annotated[
        str | None,
        Option(
            "Temporal split: which of a user's items in validation and test are targets. With first and last the "
            "user's other items there are left out; with all each is ranked from the history before the part.",
            SPLIT,
            choices=TARGETS,
            unset="first",
        ),
    ] = None
    valid_from: Annotated[
        Moment | None,
        Option("Temporal split: first moment of validation, as --since.", SPLIT, metavar="TIME", unset="share"),
    ] = None
    test_from: Annotated[
        Moment | None,
        Option("Temporal split: first moment of test, as --since.", SPLIT, metavar="TIME", unset="share"),
    ] = None
    valid_share: Annotated[
        float | None,
        Option(
            "Temporal split: share of all interactions, by time, for validation.",
            SPLIT,
            above=0,
            below=1,
            metavar="X",
            unset="0.1",
        ),
    ] = None
    test_share: Annotated[
        float | None,
        Option(
            "Temporal split: share of all interactions, the latest, for test.",
            SPLIT,
            above=0,
            below=1,
            metavar="X",
            unset="0.1",
        ),
    ] = None
    max_bad_rows: Annotated[
        int,
        Option(
            "Skip this many malformed lines of JSON, each being named, in all files together.",
            FILES,
            min=0,
            metavar="N",
        ),
    ] = 0
    max_size: Annotated[
        float, Option("Most gigabytes that a remote file may have.", FILES, min=0, metavar="GB", recorded=False)
    ] = 20.0
    threads: Threads = None
    engine: Engine = LOCAL
    address: Address = None

    def __post_init__(self) -> None:
        """Take moments that are numbers as the command line does, then check."""
        for name in ("since", "until", "valid_from", "test_from"):
            if type(moment := getattr(self, name)) is int:
                object.__setattr__(self, name, str(moment))
        super().__post_init__()

    def check(self) -> None:
        """Refuse a log without a file, and cutoffs that contradict each other or the split.

        Raises:
            UsageError: naming the options.
        """
        check_engine(self.engine, self.address)
        if not self.inputs:
            raise UsageError(
                "no input file is named", "Name the log, for example `cocorec preprocess reviews.jsonl.gz`."
            )
        if self.time_format is not None and "%" not in self.time_format:
            raise UsageError(
                f"--time-format {self.time_format!r} names no part of a time",
                "Write it with %Y, %m, %d, %H, %M, %S, for example '%d/%m/%Y %H:%M'.",
            )
        moments, shares = (self.valid_from, self.test_from), (self.valid_share, self.test_share)
        if self.split != TEMPORAL and any(value is not None for value in (self.targets, *moments, *shares)):
            raise UsageError(
                "--targets, --valid-from, --test-from, --valid-share and --test-share belong to a temporal split",
                "Add --split temporal, or leave them out.",
            )
        if any(value is not None for value in moments):
            if any(value is None for value in moments):
                raise UsageError(
                    "a temporal split needs both --valid-from and --test-from", "Give both, or --test-share."
                )
            if any(value is not None for value in shares):
                raise UsageError("--valid-from and --valid-share name the same thing", "Give moments or shares.")
        if sum(value or 0 for value in shares) >= 1:
            raise UsageError("--valid-share and --test-share leave nothing for training", "Give smaller shares.")

    def recorded(self) -> dict[str, Any]:
        """What the lineage records; left out are a seed that draws nothing, and later options that change nothing."""
        found = super().recorded()
        unchanged = defaults(PreprocessOptions)
        for name in _LATER:
            if getattr(self, name) == unchanged[name]:
                del found[name]
        if self.sample_users is None and self.cold_items is None:
            del found["seed"]
        return found
