"""The entry point of the report."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from stages.artifacts.atomic import atomic_path
from stages.artifacts.errors import UsageError
from stages.artifacts.names import CODES, EMBEDDINGS, HISTORY, METRICS, REPORT, SEQUENCES
from stages.frame.reporter import Reporter
from stages.frame.result import Result
from stages.metrics.accuracy import check_names
from stages.report.codebooks import codebooks_section
from stages.report.data import data_section
from stages.report.options import ReportOptions
from stages.report.page import render
from stages.report.parts import Cell, Section, Table, text
from stages.report.ranks import read_ranks
from stages.report.results import results_section
from stages.report.source import Source
from stages.report.training import training_section
from stages.report.users import User, read_users

Compare = Callable[..., Mapping[str, Any]]
"""Compares ``runs`` with a ``baseline`` by ``metrics`` over ``history_buckets``, with ``resamples`` and a ``seed``."""

_MADE_BY = {"preprocess": SEQUENCES, "embed": EMBEDDINGS, "quantize": CODES, "train": HISTORY, "evaluate": METRICS}


def report(
    options: ReportOptions | None = None,
    *,
    workdir: Path,
    compare: Compare | None = None,
    reporter: Reporter | None = None,
) -> Result:
    """Write ``report.html``, one page that opens offline: data, codebooks, training, results and single users.

    The data have to be there; what later stages have not made yet is named in the page. The page has no date and no
    path, so that the same artifacts give the same bytes.

    Args:
        options: by default all defaults.
        workdir: the work directory, which is only read but for the page.
        compare: compares evaluated runs, as :func:`stages.compare.compare`; needed where ``options`` name runs.
        reporter: is told about progress.

    Raises:
        UsageError: for options that do not fit.
        DataError: for artifacts that are missing, damaged, or do not belong together.
    """
    options, workdir, reporter = options or ReportOptions(), Path(workdir), reporter or Reporter()
    began = time.perf_counter()
    check_names(options.metrics)
    source = Source.open(workdir, options.title)
    name = options.name or _model(source)
    comparison = _comparison(options, source, name, compare)
    sections = [data_section(source)]
    sections.append(codebooks_section(source) if source.has(CODES) else _absent("codebooks", "Codebooks", "quantize"))
    sections.append(training_section(source) if source.has(HISTORY) else _absent("training", "Training", "train"))
    users: list[User] = []
    if source.evaluated:
        ranks = read_ranks(source)
        results = results_section(source, options, ranks, name, comparison)
        users = read_users(source, ranks, options.users)
        figures = [*sections[0].figures[:3], *results.figures]
        sections.append(results)
    else:
        figures = list(sections[0].figures[:3])
        sections.append(_absent("results", "Results", "evaluate"))
    page = render(
        f"cocorec report: {name}",
        figures,
        sections,
        users,
        made_with=_options_table(source),
        list_length=max((len(user.recommended) for user in users), default=0),
    )
    path = options.output or workdir / REPORT
    with atomic_path(path, option="--output" if options.output else "--workdir") as temporary:
        temporary.write_text(page, encoding="utf-8")
    facts = {"run": name, "compared_with": list(options.runs), "users_shown": len(users), "bytes": path.stat().st_size}
    return Result("report", {REPORT: path}, facts, timings={"total": time.perf_counter() - began})


def _model(source: Source) -> str:
    """What the run is called by default."""
    told = [source.told(name).text("model") for name in (METRICS, HISTORY) if source.has(name)]
    return next((model for model in told if model), source.workdir.resolve().name)


def _comparison(options: ReportOptions, source: Source, name: str, compare: Compare | None) -> Mapping[str, Any] | None:
    if not options.runs:
        return None
    if compare is None:
        raise UsageError("other runs were named, and nothing compares them", "Hand over stages.compare.compare.")
    if not source.evaluated:
        raise UsageError(
            f"other runs were named, and {source.path(METRICS)} does not exist", "Run `cocorec evaluate` first."
        )
    return compare(
        runs=(f"{name}={source.workdir}", *options.runs),
        baseline=name,
        metrics=options.metrics,
        history_buckets=options.history_buckets,
        resamples=options.resamples,
        seed=options.seed,
    )


def _absent(anchor: str, title: str, stage: str) -> Section:
    return Section(anchor, title, notes=[f"Not made yet: cocorec {stage} makes it."])


def _options_table(source: Source) -> Table:
    """The options that the artifacts were made with, as their lineages record them."""
    rows: list[list[Cell]] = [
        [text(stage), text(option.replace("_", "-")), text(_shown(value))]
        for stage, file in _MADE_BY.items()
        for option, value in source.options(file).items()
    ]
    return Table("options", "Options by stage", ["stage", "option", "value"], rows, folded=True)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_shown, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value is None else str(value)
