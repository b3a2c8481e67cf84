"""``cocorec preprocess``."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cocorec_cli.options import (
    DEFAULT_WORKDIR,
    Config,
    Force,
    Json,
    MemoryLimit,
    Quiet,
    Workdir,
    option,
    split_commas,
)
from cocorec_cli.runner import run_stage

FILES = "Files"
COLUMNS = "Columns"
FILTERS = "Filters"
SPLIT = "Split"


def preprocess(
    ctx: typer.Context,
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="LOG...",
            help="The interaction log, of one format: files, folders, patterns such as 'logs/*.csv', or addresses "
            "(https://, s3://, gs://). Of a published split the training file is enough; the others are found beside "
            "it.",
            envvar="COCOREC_PREPROCESS_INPUTS",
            show_envvar=False,
        ),
    ],
    items: Annotated[
        list[Path] | None,
        option(
            "File, folder, pattern or address with the texts of the items; may be repeated.",
            FILES,
            metavar="FILE",
            show_default="no texts",
        ),
    ] = None,
    format: Annotated[
        Literal[
            "auto",
            "amazon-2023-benchmark",
            "amazon-2023",
            "amazon-2023-ratings",
            "amazon-2018",
            "amazon-2014",
            "movielens",
            "recbole-benchmark",
            "recbole",
            "table",
        ],
        option("Format of the log; auto recognises it and says what it found.", FILES),
    ] = "auto",
    items_format: Annotated[
        Literal["auto", "amazon-2023", "amazon-2018", "amazon-2014", "movielens", "recbole", "table"],
        option("Format of the texts of the items.", FILES),
    ] = "auto",
    user_column: Annotated[
        str | None,
        option("Column of the log with the user's id.", COLUMNS, metavar="NAME", show_default="that of the format"),
    ] = None,
    item_column: Annotated[
        str | None,
        option(
            "Column of the log with the item's id.",
            COLUMNS,
            metavar="NAME",
            show_default="that of the format",
        ),
    ] = None,
    time_column: Annotated[
        str | None,
        option(
            "Column of the log with the time, a number or a date; a table without it is in the order of events.",
            COLUMNS,
            metavar="NAME",
            show_default="that of the format",
        ),
    ] = None,
    rating_column: Annotated[
        str | None,
        option(
            "Column of the log with the rating; read only with --rating-min.",
            COLUMNS,
            metavar="NAME",
            show_default="that of the format",
        ),
    ] = None,
    items_id_column: Annotated[
        str | None,
        option("Column of --items with the item's id.", COLUMNS, metavar="NAME", show_default="named as in the log"),
    ] = None,
    views: Annotated[
        list[str] | None,
        option(
            "Text columns of --items to keep, in this order: title,brand or given several times; NAME=COLUMN renames.",
            COLUMNS,
            metavar="NAMES",
            callback=split_commas,
            show_default="those of the format; of a table all texts",
        ),
    ] = None,
    view_template: Annotated[
        list[str] | None,
        option(
            "A further view put together from columns: 'text=title: {title}[ by {brand}]'. What stands in square "
            "brackets is left out where its column has no text; without a text outside of them there is no view. May "
            "be repeated.",
            COLUMNS,
            metavar="NAME=TEMPLATE",
            show_default="none",
        ),
    ] = None,
    keep_cold_items: Annotated[
        bool,
        option(
            "Keep items that occur in --items alone, as candidates that nobody has taken yet.",
            FILTERS,
            "--keep-cold-items",
        ),
    ] = False,
    rating_min: Annotated[
        float | None,
        option("Drop interactions rated lower, or not rated.", FILTERS, metavar="X", show_default="keep all"),
    ] = None,
    since: Annotated[
        str | None,
        option(
            "Drop interactions before this moment: 2024-05-31, 2024-05-31T12:00:00Z or a number in the log's unit.",
            FILTERS,
            metavar="TIME",
            show_default="keep all",
        ),
    ] = None,
    until: Annotated[
        str | None,
        option("Drop interactions at this moment and later.", FILTERS, metavar="TIME", show_default="keep all"),
    ] = None,
    k_core: Annotated[
        int | None,
        option(
            "Keep users and items with at least this many interactions, until it holds for all; 0 keeps everything.",
            FILTERS,
            min=0,
            metavar="K",
            show_default="5; 0 for a published split",
        ),
    ] = None,
    sample_users: Annotated[
        int | None,
        option(
            "Keep only this many users, drawn after the k-core filter.",
            FILTERS,
            min=1,
            metavar="N",
            show_default="all users",
        ),
    ] = None,
    seed: Annotated[int, option("Seed of the draw of users.", FILTERS, min=0, metavar="N")] = 0,
    split: Annotated[
        Literal["auto", "leave-one-out", "temporal"],
        option(
            "auto keeps a published split, else leaves one out. leave-one-out: each user's last item is for test, the "
            "one before for validation; training sees what other users did later. temporal: training ends at one "
            "moment for all users.",
            SPLIT,
        ),
    ] = "auto",
    targets: Annotated[
        Literal["first", "last", "all"] | None,
        option(
            "Temporal split: which of a user's items in validation and test are targets. With first and last the "
            "user's other items there are left out; with all each is ranked from the history before the part.",
            SPLIT,
            show_default="first",
        ),
    ] = None,
    valid_from: Annotated[
        str | None,
        option("Temporal split: first moment of validation, as --since.", SPLIT, metavar="TIME", show_default="share"),
    ] = None,
    test_from: Annotated[
        str | None,
        option("Temporal split: first moment of test, as --since.", SPLIT, metavar="TIME", show_default="share"),
    ] = None,
    valid_share: Annotated[
        float | None,
        option(
            "Temporal split: share of all interactions, by time, for validation.",
            SPLIT,
            metavar="X",
            show_default="0.1",
        ),
    ] = None,
    test_share: Annotated[
        float | None,
        option(
            "Temporal split: share of all interactions, the latest, for test.", SPLIT, metavar="X", show_default="0.1"
        ),
    ] = None,
    max_bad_rows: Annotated[
        int,
        option(
            "Skip this many malformed lines of JSON, each being named, in all files together.",
            FILES,
            min=0,
            metavar="N",
        ),
    ] = 0,
    max_size: Annotated[
        float, option("Most gigabytes that a remote file may have.", FILES, min=0, metavar="GB")
    ] = 20.0,
    memory_limit: MemoryLimit = None,
    workdir: Workdir = DEFAULT_WORKDIR,
    config: Config = None,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Turn an interaction log and the texts of the items into a catalogue and histories.

    Makes items.parquet and sequences.parquet. A split that comes with the log is kept, unless --split says otherwise.
    """
    run_stage(ctx, leave_out={"memory_limit"})
