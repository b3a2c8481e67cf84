"""``cocorec download``."""

import time
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cocorec_cli.console import ConsoleReporter
from cocorec_cli.options import GENERAL, Json, Quiet, option
from cocorec_cli.report import print_json, print_table
from cocorec_cli.runner import warn_of_unknown_variables

DATA = "Data"
TRANSFER = "Transfer"


def download(
    ctx: typer.Context,
    dataset: Annotated[
        Literal["amazon-2023"], typer.Argument(metavar="amazon-2023", help="The data set: Amazon Reviews 2023.")
    ],
    category: Annotated[
        str, typer.Argument(metavar="CATEGORY", help="Its part, such as Musical_Instruments or Video_Games.")
    ],
    kind: Annotated[
        Literal["last_out_w_his", "timestamp_w_his", "last_out", "timestamp", "rating_only"],
        option(
            "The 5-core files: leave-one-out or split by time, with or without histories (w_his), or unsplit.", DATA
        ),
    ] = "last_out_w_his",
    to: Annotated[
        Path | None,
        option(
            "Folder for the files; made when missing.",
            DATA,
            metavar="FOLDER",
            file_okay=False,
            show_default="data/amazon-2023/CATEGORY, of other kinds data/amazon-2023/CATEGORY-KIND",
        ),
    ] = None,
    base_url: Annotated[
        str, option("Folder of the data set on its server, or on a mirror with the same folders.", DATA, metavar="URL")
    ] = "https://mcauleylab.ucsd.edu/public_datasets/data/amazon_2023",
    max_size: Annotated[
        float, option("Most gigabytes that the files may have together.", TRANSFER, min=0, metavar="GB")
    ] = 20.0,
    retries: Annotated[
        int,
        option(
            "Further attempts per file when the server is busy or the connection breaks.",
            TRANSFER,
            min=0,
            metavar="N",
        ),
    ] = 5,
    timeout: Annotated[float, option("Seconds that the server may be silent.", TRANSFER, min=0, metavar="S")] = 60.0,
    force: Annotated[bool, option("Fetch all files anew, even if they are there.", GENERAL, "--force")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Download a published data set: the benchmark files and the texts of the items.

    What is there already is verified by its SHA-256 and not fetched again; an interrupted download goes on where it
    stopped. The data have terms of their own; see https://amazon-reviews-2023.github.io.
    """
    from stages.download import download as fetch

    reporter = ConsoleReporter(quiet=quiet, lines=False)
    warn_of_unknown_variables(ctx, reporter)
    started = time.perf_counter()
    options = {name: value for name, value in ctx.params.items() if name not in ("json", "quiet")}
    result = fetch(**options, reporter=reporter)
    facts: dict[str, Any] = {**result.facts, "skipped": result.skipped}
    if json:
        print_json({**facts, "seconds": round(time.perf_counter() - started, 3)})
        return
    done = "all files are there and unchanged" if result.skipped else f"done in {time.perf_counter() - started:,.1f} s"
    rows = [[row["file"], f"{row['bytes']:,}", row["sha256"][:12], row["state"]] for row in facts["files"]]
    total = ["total", f"{facts['bytes']:,}", "", ""]
    print_table(["file", "bytes", "sha256", "state"], [*rows, total], title=f"{facts['folder']}: {done}")
    print(f"next: {facts['next']}", flush=True)
