"""The entry point of recommending: lists for every user of today."""

from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

import pyarrow.compute as pc
import torch

from stages.artifacts.lists import recommendations_schema
from stages.artifacts.names import HISTORIES, RECOMMENDATIONS, Columns
from stages.frame.cluster import Cluster, cluster
from stages.frame.machine import RAY
from stages.frame.reporter import Reporter
from stages.frame.result import Result
from stages.frame.run import StageRun
from stages.frame.threads import threads
from stages.model.elsewhere import find_saved
from stages.model.files import added_items, grown_note
from stages.recommend.chunks import ChunkStore, remove_chunks
from stages.recommend.files import Readers, require_file, standard_input, usual_columns
from stages.recommend.options import STANDARD, RecommendOptions
from stages.recommend.output import list_writer
from stages.recommend.popular import popularity_file
from stages.recommend.recommender import MODEL_FILES, Recommender, recommender_files
from stages.recommend.tables import list_tables
from stages.recommend.what import allowed_items, seen_items_in_words
from stages.recommend.whom import find_served, users_file

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
            remove_chunks(run.workdir)  # of a run that was killed just before it would have done so
            return done
        # An actor of a cluster has one thread unless more are asked for.
        count = options.threads or (1 if options.engine == RAY else None)
        with threads(count), ExitStack() as stack:
            shared = stack.enter_context(cluster(options.address, run.reporter)) if options.engine == RAY else None
            if shared:
                seen = [run.path(name) for name in recommender_files(run.workdir, options.model_from)]
                shared.check_workers([path.resolve() for path in seen], ("numpy", "pyarrow", "torch"))
            return _recommend(options, run, histories, readers, stdout, shared)


def _recommend(
    options: RecommendOptions,
    run: StageRun,
    histories: Path | None,
    readers: Readers | None,
    stdout: TextIO | None,
    shared: Cluster | None,
) -> Result:
    with run.measure("loading"):
        recommender = Recommender.load(
            run.workdir,
            device="cpu" if shared else options.device,
            batch_size=options.batch_size,
            reporter=_Warner(run),
            model_from=options.model_from,
            new_item_boost=options.new_item_boost,
        )
        recommender.check_top(options.top)
        recommender.items.check_views(options.with_views)
        usual = usual_columns(run.workdir)
        allowed = allowed_items(options, run, recommender, usual, readers)
        served = find_served(options, run, recommender.items, histories, usual, readers)
    if said := grown_note(recommender.model.config, recommender.added):
        run.warn(said)
    seen = seen_items_in_words(options, recommender)
    run.reporter.info(f"items of the history: {seen}")
    target = options.output or run.path(RECOMMENDATIONS)
    surroundings = {"batch_size": options.batch_size, "threads": torch.get_num_threads(), "device": options.device}
    store = ChunkStore(run, surroundings)
    counts = {"recommendations": 0, "users_with_fewer_than_top": 0, "users_without_known_item": 0}
    with list_writer(target, recommendations_schema(options.with_views), stdout) as writer:
        for table in list_tables(options, run, recommender, served, allowed, store, shared):
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
            "threads": torch.get_num_threads(),
        }
        writer.set_lineage(run.lineage(facts))
    remove_chunks(run.workdir)
    rates = {"users_per_second": len(served.user_ids) / max(run.seconds["recommending"], 1e-9)}
    result = run.result(facts, rates=rates)
    if options.output is None:
        return result
    outputs = {"standard output" if options.output == STANDARD else str(options.output): options.output}
    return Result(result.stage, outputs, result.facts, warnings=result.warnings, timings=result.timings)


def _note_inputs(options: RecommendOptions, run: StageRun, histories: Path | None) -> None:
    """All that decides the lists, for lineage and freshness; files from outside go by their plain names."""
    counted = HISTORIES if histories is None else popularity_file(run.workdir)
    described = [name for name in recommender_files(run.workdir, options.model_from) if name not in MODEL_FILES]
    run.read(*dict.fromkeys([*described, *([] if counted is None else [Path(counted).name])]))
    if options.model_from:
        saved = find_saved(options.model_from)
        for what, path in (("config", saved.path), ("weights", saved.weights_path)):
            run.read_raw(f"{what} of --model-from", run.fingerprints.of(path))
    else:
        run.read(*MODEL_FILES, earlier=added_items(run.workdir) > 0)
    named = {name: getattr(options, name) for name in _FILES} | {"histories": histories, "users": users_file(options)}
    for name, path in named.items():
        if path is not None:
            option = "--" + name
            run.read_raw(name, run.fingerprints.of(require_file(path, option)))
            shown = "standard input" if name == "histories" and options.histories == STANDARD else path.name
            run.recorded[name] = [shown] if name == "users" else shown


class _Warner(Reporter):
    """Lets what the recommender warns of stand in the result of the run.

    Args:
        run: of the stage.
    """

    def __init__(self, run: StageRun) -> None:
        self._run = run

    def warn(self, message: str) -> None:
        self._run.warn(message)
