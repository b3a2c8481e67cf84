"""``cocorec init``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cocorec_cli.config import DEFAULT_CONFIG
from cocorec_cli.console import ConsoleReporter, printable
from cocorec_cli.envelope import envelope
from cocorec_cli.from_options import given_values, with_options
from cocorec_cli.options import GENERAL, option
from cocorec_cli.report import print_table
from cocorec_cli.runner import check_paths, warn_of_unknown_variables
from stages.artifacts.errors import UsageError
from stages.preprocess.options import PreprocessOptions


@with_options(PreprocessOptions, common=("workdir", "json", "quiet"))
def init(
    ctx: typer.Context,
    output: Annotated[
        Path, option("Where the configuration is written.", GENERAL, "--output", metavar="FILE", dir_okay=False)
    ] = Path(DEFAULT_CONFIG),
    force: Annotated[bool, option("Write over a file that is there.", GENERAL, "--force")] = False,
) -> None:
    """Look at a log and the texts of its items, and write a commented configuration that runs.

    Finds the columns of user, item and time by their names and values, the metadata beside a folder's log, the texts
    that make views, and a k-core that leaves enough. Options of preprocess that are given are kept. Nothing is trained.
    """
    from cocorec_cli.init_file import configuration
    from stages.artifacts.atomic import atomic_path
    from stages.preprocess import propose

    check_paths(ctx)
    if output.exists() and not force:
        raise UsageError(f"--output: {output} exists", "Name another file, or write over this one with --force.")
    reporter = ConsoleReporter(quiet=ctx.params["quiet"])
    warn_of_unknown_variables(ctx, reporter)
    workdir: Path = ctx.params["workdir"]
    options = PreprocessOptions(**given_values(PreprocessOptions, ctx.params))
    named = {name: [str(path) for path in getattr(options, name)] for name in ("inputs", "items")}
    found = propose(options, workdir=workdir, reporter=reporter)
    chosen = {**found.options, "inputs": named["inputs"]} | ({"items": named["items"]} if named["items"] else {})
    found.options.update(chosen)
    with atomic_path(output, option="--output") as temporary:
        temporary.write_text(configuration(found, output, workdir), encoding="utf-8")
    run = "cocorec run" if output == Path(DEFAULT_CONFIG) else f"cocorec run --config {output}"
    if ctx.params["json"]:
        facts: dict[str, Any] = {"options": found.options, "views": list(found.views), "left_out": found.left_out}
        rest = {"cores": found.cores, "facts": found.facts, "next": run}
        envelope().result = {"config": str(output), **facts, **rest}
        return
    for message in found.facts["passed_over"]:
        reporter.warn(message)
    rows = [[name.replace("_", " "), _told(value)] for name, value in found.options.items()]
    print_table([], [*rows, ["rows read", f"{found.facts['rows_read']:,}"]], title=f"init: made {output}")
    print(printable(f"next: {run}"), flush=True)


def _told(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
