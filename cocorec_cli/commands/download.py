"""``cocorec download``."""

import time
from typing import Annotated, Any

import typer

from cocorec_cli.console import ConsoleReporter, printable
from cocorec_cli.envelope import envelope
from cocorec_cli.from_options import given_values, with_options
from cocorec_cli.options import GENERAL, option
from cocorec_cli.report import print_table
from cocorec_cli.runner import check_paths, warn_of_unknown_variables
from stages.download.options import DownloadOptions


@with_options(DownloadOptions, common=("json", "quiet"))
def download(
    ctx: typer.Context,
    force: Annotated[bool, option("Fetch all files anew, even if they are there.", GENERAL, "--force")] = False,
) -> None:
    """Download a published data set: the benchmark files and the texts of the items.

    What is there already is verified by its SHA-256 and not fetched again; an interrupted download goes on where it
    stopped. The data have terms of their own; see https://amazon-reviews-2023.github.io.
    """
    from stages.download import download as fetch

    check_paths(ctx)
    reporter = ConsoleReporter(quiet=ctx.params["quiet"], lines=False)
    warn_of_unknown_variables(ctx, reporter)
    started = time.perf_counter()
    options = DownloadOptions(**given_values(DownloadOptions, ctx.params))
    result = fetch(options, force=force, reporter=reporter)
    facts: dict[str, Any] = {**result.facts, "skipped": result.skipped}
    if ctx.params["json"]:
        envelope().result = {**facts, "seconds": round(time.perf_counter() - started, 3)}
        return
    done = "all files are there and unchanged" if result.skipped else f"done in {time.perf_counter() - started:,.1f} s"
    rows = [[row["file"], f"{row['bytes']:,}", row["sha256"][:12], row["state"]] for row in facts["files"]]
    total = ["total", f"{facts['bytes']:,}", "", ""]
    print_table(["file", "bytes", "sha256", "state"], [*rows, total], title=f"{facts['folder']}: {done}")
    print(printable(f"next: {facts['next']}"), flush=True)
