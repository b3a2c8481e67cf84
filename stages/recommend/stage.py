"""The entry point of recommending: lists for every user of today."""

import importlib
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO

import pyarrow.compute as pc
import torch

from stages.artifacts.errors import UsageError
from stages.artifacts.lists import recommendations_schema
from stages.artifacts.names import HISTORIES, RECOMMENDATIONS, Columns
from stages.frame.cluster import Cluster, cluster
from stages.frame.machine import RAY
from stages.frame.processes.launch import launch
from stages.frame.processes.place import to_launch, writes
from stages.frame.reporter import Reporter
from stages.frame.result import Result
from stages.frame.run import StageRun
from stages.frame.threads import threads
from stages.model.device import share_device
from stages.model.elsewhere import find_saved
from stages.model.files import added_items, grown_note
from stages.model.team import Team, joined_processes
from stages.recommend.chunks import ChunkStore, remove_chunks
from stages.recommend.files import Readers, is_standard_input, require_file, standard_input, usual_columns
from stages.recommend.options import STANDARD, RecommendOptions
from stages.recommend.output import list_writer
from stages.recommend.popular import popularity_file
from stages.recommend.recommender import MODEL_FILES, Recommender, recommender_files
from stages.recommend.tables import list_tables
from stages.recommend.together import agreed, follow
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
    count, shared = to_launch(options.processes), options.engine == RAY
    device = torch.device("cpu") if shared else share_device(options.device, count)
    run = StageRun("recommend", options, workdir, reporter)
    artifacts = _note_artifacts(options, run)
    if not writes():
        with threads(options.threads), joined_processes(device, options.process_timeout) as team:
            if agreed(team, artifacts):
                follow(options, _load(options, run, device, team))
        return run.result({})
    with standard_input(options.histories, run.workdir) as histories:
        _note_files(options, run, histories)
        if options.output is None and (done := run.fresh()) and not force:
            with joined_processes(device, options.process_timeout) as team:
                agreed(team, artifacts, work=False)
            remove_chunks(run.workdir)  # of a run that was killed just before it would have done so
            return done
        if count:
            return launch(
                "stages.recommend.stage:recommend_together",
                replace(options, histories=histories),
                workdir=run.workdir,
                force=force,
                reporter=run.reporter,
                count=count,
                handed={"readers": _module_name(readers)},
                stdout=stdout,
                any_count=options.threads is not None,  # the number of threads decides bytes, and depends on it
            )
        # An actor of a cluster has one thread unless more are asked for.
        with (
            threads(options.threads or (1 if shared else None)),
            cluster(options.address, run.reporter) if shared else nullcontext() as workers,
            joined_processes(device, options.process_timeout) as team,
        ):
            if workers:
                seen = [run.path(name) for name in recommender_files(run.workdir, options.model_from)]
                workers.check_workers([path.resolve() for path in seen], ("numpy", "pyarrow", "torch"))
            agreed(team, artifacts, work=True)
            recommender = _load(options, run, device, team)
            return _recommend(options, run, recommender, histories, readers, stdout, workers)


def recommend_together(
    options: RecommendOptions,
    *,
    workdir: Path,
    force: bool,
    reporter: Reporter,
    readers: str | None,
    stdout: TextIO | None = None,
) -> Result:
    """See :func:`recommend`: in one of the processes that it starts, with the readers in the module of this name."""
    found: Any = importlib.import_module(readers) if readers else None
    return recommend(options, workdir=workdir, force=force, reporter=reporter, readers=found, stdout=stdout)


def _module_name(readers: Readers | None) -> str | None:
    """The name under which another process finds the readers.

    Raises:
        UsageError: when they are no module.
    """
    if readers is None:
        return None
    if not isinstance(readers, ModuleType):
        raise UsageError("--processes needs readers that are a module", "Pass readers=stages.preprocess.")
    return readers.__name__


def _load(options: RecommendOptions, run: StageRun, device: torch.device, team: Team) -> Recommender:
    with run.measure("loading"):
        recommender = Recommender.load(
            run.workdir,
            device=str(device),
            batch_size=options.batch_size,
            reporter=_Warner(run),
            model_from=options.model_from,
            new_item_boost=options.new_item_boost,
        )
    recommender.model.team = team
    return recommender


def _recommend(
    options: RecommendOptions,
    run: StageRun,
    recommender: Recommender,
    histories: Path | None,
    readers: Readers | None,
    stdout: TextIO | None,
    shared: Cluster | None,
) -> Result:
    with run.measure("loading"):
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
            **({"processes": team.count} if (team := recommender.model.team).count > 1 else {}),
        }
        writer.set_lineage(run.lineage(facts))
    remove_chunks(run.workdir)
    rates = {"users_per_second": len(served.user_ids) / max(run.seconds["recommending"], 1e-9)}
    result = run.result(facts, rates=rates)
    if options.output is None:
        return result
    outputs = {"standard output" if options.output == STANDARD else str(options.output): options.output}
    return Result(result.stage, outputs, result.facts, warnings=result.warnings, timings=result.timings)


def _note_artifacts(options: RecommendOptions, run: StageRun) -> dict[str, str]:
    """Note the artifacts and the model that decide the lists; their fingerprints by name."""
    counted = HISTORIES if options.histories is None else popularity_file(run.workdir)
    described = [name for name in recommender_files(run.workdir, options.model_from) if name not in MODEL_FILES]
    run.read(*dict.fromkeys([*described, *([] if counted is None else [Path(counted).name])]))
    if options.model_from:
        saved = find_saved(options.model_from)
        for what, path in (("config", saved.path), ("weights", saved.weights_path)):
            run.read_raw(f"{what} of --model-from", run.fingerprints.of(path))
    else:
        run.read(*MODEL_FILES, earlier=added_items(run.workdir) > 0)
    return dict(run.inputs)


def _note_files(options: RecommendOptions, run: StageRun, histories: Path | None) -> None:
    """Note the files from outside that decide the lists; they go by their plain names."""
    named = {name: getattr(options, name) for name in _FILES} | {"histories": histories, "users": users_file(options)}
    for name, path in named.items():
        if path is not None:
            option = "--" + name
            run.read_raw(name, run.fingerprints.of(require_file(path, option)))
            shown = "standard input" if name == "histories" and is_standard_input(options.histories) else path.name
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
