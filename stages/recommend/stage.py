"""The entry point of recommending: lists for every user of today."""

from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from stages.artifacts.lists import recommendations_schema
from stages.artifacts.names import HISTORIES, ITEMS, RECOMMENDATIONS, Columns
from stages.frame.reporter import Reporter
from stages.frame.result import Result
from stages.frame.run import StageRun
from stages.frame.threads import threads
from stages.model.files import added_items, grown_note
from stages.recommend.chunks import ChunkStore
from stages.recommend.files import (
    Readers,
    item_columns,
    read_ids,
    require_file,
    require_readers,
    standard_input,
    usual_columns,
)
from stages.recommend.options import STANDARD, RecommendOptions
from stages.recommend.output import list_writer
from stages.recommend.popular import popularity_file
from stages.recommend.recommender import MODEL_FILES, Mask, Recommender, recommender_files
from stages.recommend.whom import Served, find_served, users_file

CHUNK_USERS = 16_384
"""Users whose lists are made, kept and written at a time."""

_FILES = ("candidates", "exclude", "items")


def recommend(
    options: RecommendOptions | None = None,
    *,
    workdir: Path,
    force: bool = False,
    reporter: Reporter | None = None,
    readers: Readers | None = None,
    stdout: TextIO | None = None,
) -> Result:
    """Recommend to every user what comes next, from the whole history.

    A run that was interrupted goes on after the users it had finished, and ends with the same bytes.

    Args:
        options: by default all defaults.
        workdir: the work directory.
        force: recommend even when the lists are up to date.
        reporter: where progress and messages go.
        readers: read logs, tables and conditions, ``stages.preprocess``; needed for these alone.
        stdout: where ``output`` ``-`` goes.

    Returns:
        The lists and what is known of them.

    Raises:
        UsageError: for options that do not fit.
        DataError: for artifacts or files that are missing, damaged or do not belong together, or when nobody is to be
            served or nothing may be recommended.
    """
    options = options or RecommendOptions()
    run = StageRun("recommend", options, workdir, reporter)
    with standard_input(options.histories, run.workdir) as histories:
        _note_inputs(options, run, histories)
        if options.output is None and (done := run.fresh()) and not force:
            return done
        with threads(options.threads):
            return _recommend(options, run, histories, readers, stdout)


def _recommend(
    options: RecommendOptions, run: StageRun, histories: Path | None, readers: Readers | None, stdout: TextIO | None
) -> Result:
    with run.measure("loading"):
        recommender = Recommender.load(
            run.workdir, device=options.device, batch_size=options.batch_size, reporter=_Warner(run)
        )
        recommender.check_top(options.top)
        recommender.items.check_views(options.with_views)
        usual = usual_columns(run.workdir)
        allowed = _allowed(options, run, recommender, usual, readers)
        served = find_served(options, run, recommender.items, histories, usual, readers)
    if said := grown_note(recommender.model.config, recommender.added):
        run.warn(said)
    seen = _seen_items(options, recommender)
    run.reporter.info(f"items of the history: {seen}")
    target = options.output or run.path(RECOMMENDATIONS)
    surroundings = {"batch_size": options.batch_size, "threads": torch.get_num_threads(), "device": options.device}
    store = ChunkStore(run, surroundings)
    counts = {"recommendations": 0, "users_with_fewer_than_top": 0, "users_without_known_item": 0}
    with list_writer(target, recommendations_schema(options.with_views), stdout) as writer:
        for table in _tables(options, run, recommender, served, allowed, store):
            lengths = pc.list_value_length(table[Columns.ITEM_IDS]).to_numpy()
            counts["recommendations"] += int(lengths.sum())
            counts["users_with_fewer_than_top"] += int((lengths < options.top).sum())
            counts["users_without_known_item"] += pc.sum(table[Columns.FALLBACK]).as_py()
            writer.write(table)
        facts = {
            "model": recommender.model.config.model,
            "users": len(served.user_ids),
            "items": len(recommender.items),
            **({"items_added_since_training": recommender.added} if recommender.added else {}),
            "candidates": len(recommender.items) if allowed is None else int(allowed.sum()),
            "top": options.top,
            "seen_items": seen,
            **counts,
            **served.facts,
        }
        writer.set_lineage(run.lineage(facts))
    store.remove()
    rates = {"users_per_second": len(served.user_ids) / max(run.seconds["recommending"], 1e-9)}
    result = run.result(facts, rates=rates)
    if options.output is None:
        return result
    outputs = {"standard output" if options.output == STANDARD else str(options.output): options.output}
    return Result(result.stage, outputs, result.facts, warnings=result.warnings, timings=result.timings)


def _note_inputs(options: RecommendOptions, run: StageRun, histories: Path | None) -> None:
    """All that decides the lists, for lineage and freshness; files from outside go by their plain names."""
    counted = HISTORIES if histories is None else popularity_file(run.workdir)
    described = [name for name in recommender_files(run.workdir) if name not in MODEL_FILES]
    run.read(*dict.fromkeys([*described, *([] if counted is None else [Path(counted).name])]))
    run.read(*MODEL_FILES, earlier=added_items(run.workdir) > 0)
    named = {name: getattr(options, name) for name in _FILES} | {"histories": histories, "users": users_file(options)}
    for name, path in named.items():
        if path is not None:
            option = "--" + name
            run.read_raw(name, run.fingerprints.of(require_file(path, option)))
            shown = "standard input" if name == "histories" and options.histories == STANDARD else path.name
            run.recorded[name] = [shown] if name == "users" else shown


def _allowed(
    options: RecommendOptions,
    run: StageRun,
    recommender: Recommender,
    usual: dict[str, str],
    readers: Readers | None,
) -> Mask | None:
    """Which items the filters leave (N + 1,), by item number; ``None`` for all."""
    columns = item_columns(options.item_column, usual)
    given = {
        name: None if path is None else read_ids(path, run.workdir, columns, f"--{name}", readers)
        for name, path in (("candidates", options.candidates), ("exclude", options.exclude))
    }
    allowed = recommender.allowed(given["candidates"], given["exclude"])
    if options.where is None:
        return allowed
    source, names = (run.path(ITEMS), [Columns.ITEM_ID]) if options.items is None else (options.items, columns)
    ids = require_readers(readers, "--where").read_ids_where(source, run.workdir, names, options.where)
    holds = np.zeros(len(recommender.items) + 1, np.bool_)
    holds[recommender.items.numbers(ids)] = True
    holds[0] = False
    allowed = holds if allowed is None else allowed & holds
    recommender.require_some(allowed)
    return allowed


def _seen_items(options: RecommendOptions, recommender: Recommender) -> str:
    """In words, what becomes of items that the history holds, and who decided it."""
    verb = "left out" if recommender.excludes_seen(options.exclude_seen) else "left in"
    if options.exclude_seen is not None:
        return f"{verb}, as asked"
    learnt = "ranked by what the model learnt" if verb == "left in" else "the model learnt nothing"
    return f"{verb}, {learnt} of repeats"


def _tables(
    options: RecommendOptions,
    run: StageRun,
    recommender: Recommender,
    served: Served,
    allowed: Mask | None,
    store: ChunkStore,
) -> Iterator[pa.Table]:
    """The lists of all users, a chunk of them at a time; chunks that are there are not made again."""
    users = len(served.user_ids)
    kept = 0
    with run.measure("recommending"), run.reporter.track("recommending", users, "users") as advance:
        for number, low in enumerate(range(0, users, CHUNK_USERS)):
            high = min(low + CHUNK_USERS, users)
            table = store.read(number)
            if table is None:
                lists = recommender.lists(
                    *served.part(low, high),
                    top=options.top,
                    exclude_seen=options.exclude_seen,
                    allowed=allowed,
                    progress=advance,
                )
                names = served.user_ids.slice(low, high - low)
                table = recommender.items.table(names, lists, options.with_views)
                store.write(number, table)
            else:
                kept += high - low
                advance(high - low)
            yield table
    if kept:
        run.reporter.info(f"continuing an interrupted run: {kept:,} of {users:,} users were done")


class _Warner(Reporter):
    """Lets what the recommender warns of stand in the result of the run.

    Args:
        run: of the stage.
    """

    def __init__(self, run: StageRun) -> None:
        self._run = run

    def warn(self, message: str) -> None:
        self._run.warn(message)
