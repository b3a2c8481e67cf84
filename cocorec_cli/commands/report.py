"""``cocorec report``."""

from dataclasses import replace
from typing import Any

import typer

from cocorec_cli.console import ConsoleReporter, printable
from cocorec_cli.from_options import given_values, with_options
from cocorec_cli.report import Report, print_report
from cocorec_cli.runner import run_call
from stages.artifacts.names import REPORT
from stages.frame.result import Result
from stages.report.options import ReportOptions


@with_options(ReportOptions, common=("workdir", "config", "json", "quiet"))
def report(ctx: typer.Context) -> None:
    """Show data, codebooks, training, results and single users on one page that opens offline.

    Reads what the stages have made and writes report.html: histories and popularity, use and error of the codebooks,
    losses and validation by epoch, metrics with intervals beside popularity and other runs, slices, differences with p,
    and users with their history, their list and where the truth stood. One file without anything from a network. It is
    made anew each time; `cocorec run` ends with it.
    """
    options = ReportOptions(**given_values(ReportOptions, ctx.params))

    def call(reporter: ConsoleReporter) -> Result:
        from stages.compare import CompareOptions, compare
        from stages.report import report

        def compared(**values: Any) -> dict[str, Any]:
            return compare(CompareOptions(**values), reporter=reporter)

        return report(options, workdir=ctx.params["workdir"], compare=compared, reporter=reporter)

    run_call(ctx, call, show=_show)


def _show(report: Report) -> None:
    """The report of a person ends with the path of the page."""
    outputs = report.result.outputs
    made = {path.name: path for path in outputs.values()}
    print_report(replace(report, result=replace(report.result, outputs=made)))
    print(printable(f"open {outputs[REPORT]}"))
