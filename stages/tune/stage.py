"""The entry point of the search."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.lineage import Lineage
from stages.artifacts.names import STUDY, TRIALS
from stages.artifacts.tables import write_table
from stages.frame.extras import how_to_install
from stages.frame.options import defaults
from stages.frame.reporter import Reporter
from stages.frame.result import Result
from stages.model.registry import model_class
from stages.tune.folders import Folders
from stages.tune.options import TuneOptions
from stages.tune.search import Tables, describe, try_values
from stages.tune.space import SearchedStage, read_space

DEFAULT_TRIALS = 30
"""Trials of a search that is given neither their number nor minutes."""


def tune(
    options: TuneOptions | None = None,
    *,
    workdir: Path,
    stages: Mapping[str, SearchedStage],
    space: Tables | None = None,
    fixed: Tables | None = None,
    reporter: Reporter | None = None,
    before_trials: Callable[[], None] = lambda: None,
) -> Result:
    """Search the options of training, and of quantization, for the best validation NDCG@10.

    The test split has no part in it: trials run on histories that end with their validation items. The first trial
    takes the options as they stand, the others what Optuna's TPE sampler proposes; a trial that lags behind is ended
    early (see :mod:`stages.tune.study`). The study lies in ``tune/study.jsonl`` and the same call goes on with it.

    Args:
        options: by default all defaults.
        workdir: the work directory; ``tune/`` is written there.
        stages: the stages: ``train``, and ``quantize`` when one of its options is searched.
        space: by stage and option, a list of values, or ``{"low": a, "high": b}`` with ``"log": True`` or a
            ``"step"`` where wanted; ``None`` for one that suits the model.
        fixed: by stage, options that differ from their defaults and are not searched.
        reporter: is told about progress.
        before_trials: called before the first trial that is run, not where all are done; may raise.

    Raises:
        UsageError: for options that do not fit, or when the search that is there is another one.
        DataError: for artifacts that are missing or do not belong together, or when no trial came to its end.
    """
    options = options or TuneOptions()
    workdir, reporter, fixed = Path(workdir), reporter or Reporter(), fixed or {}
    trials, minutes, seed = options.trials, options.minutes, options.seed
    _require_optuna()
    from stages.model.device import resolve_device
    from stages.tune.study import FINISHED, next_trial, open_study
    from stages.tune.table import facts, trials_table
    from stages.tune.trials import OutOfTimeError, Trials, best_trial, require_sound

    began = time.monotonic()
    standing = {name: {**defaults(stage.options), **fixed.get(name, {})} for name, stage in stages.items()}
    model = standing["train"]["model"]
    resolve_device(standing["train"].get("device", "auto"))  # else each trial would find that it is not there
    searched = model_class(model).searched
    if not searched:
        raise UsageError(f"{model} has no options: there is nothing to tune", "Choose another --model of train.")
    found = read_space({"train": searched} if space is None else space, stages)
    try_values(found, stages, fixed)
    search = describe(workdir, found, standing, stages, options)
    limit = DEFAULT_TRIALS if trials is None and minutes is None else trials
    first = {
        f"{stage}.{option}": standing[stage][option]
        for (stage, option), dimension in found.dimensions.items()
        if standing[stage][option] in dimension
    }
    study = open_study(
        workdir,
        search,
        first,
        startup_trials=options.startup_trials,
        warmup_epochs=options.warmup_epochs,
        resume=options.resume,
    )
    require_sound(study, workdir / STUDY)
    folders = Folders(workdir)
    folders.prepare()
    runner = Trials(
        study,
        workdir=workdir,
        folders=folders,
        space=found,
        stages=stages,
        fixed=fixed,
        seeds=options.seeds,
        deadline=None if minutes is None else began + 60 * minutes,
        reporter=reporter,
    )
    finished = study.get_trials(False, FINISHED)
    if limit is None or len(finished) < limit:
        before_trials()
    for trial in finished:
        folders.tidy(trial.number)  # a killed run may have come to its end, and no further
    if done := len(finished):
        reporter.info(f"going on with the search of {workdir / STUDY}: {done} trials are done")
    lineage = Lineage("tune", search, search["inputs"])
    try:
        while limit is None or len(study.get_trials(False, FINISHED)) < limit:
            if minutes is not None and time.monotonic() >= began + 60 * minutes:
                break
            runner.run(next_trial(study, seed))
            write_table(workdir / TRIALS, trials_table(study), lineage)
    except OutOfTimeError:
        reporter.info(f"the {minutes:g} minutes are over; the trial at hand waits for the next search")
    write_table(workdir / TRIALS, trials_table(study), lineage)
    if best_trial(study) is None:
        reasons = {trial.user_attrs["reason"] for trial in study.trials if "reason" in trial.user_attrs}
        raise DataError(
            f"{workdir / STUDY}: no trial is complete" + "".join(f"; {reason}" for reason in sorted(reasons)),
            "Repeat the command to go on, with more --minutes or --trials, or choose another space with --no-resume.",
        )
    return Result("tune", {TRIALS: workdir / TRIALS}, facts(study))


def _require_optuna() -> None:
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"the search needs the package optuna, which cannot be imported: {error}",
            f"Install the extra that brings it: {how_to_install('tune')}.",
        ) from error
