"""The entry point of training."""

import contextlib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.history import history_table
from stages.artifacts.names import HISTORY, ITEMS, SEQUENCES
from stages.artifacts.sequences import read_sequences
from stages.artifacts.tables import write_table
from stages.frame.allocator import keep_freed_memory
from stages.frame.processes.launch import launch
from stages.frame.processes.place import own_place, to_launch
from stages.frame.processor import slow_bfloat16
from stages.frame.reporter import Reporter
from stages.frame.result import Result
from stages.frame.run import StageRun
from stages.frame.threads import busy_note, threads
from stages.model.base import LearnedModel, Model
from stages.model.catalogue import Catalogue, read_catalogue
from stages.model.config import ModelConfig
from stages.model.device import share_device
from stages.model.files import model_tensors, save_model
from stages.model.ranking import queries
from stages.model.registry import model_class
from stages.model.team import joined_processes
from stages.model.trained_items import TrainedItems, items_now
from stages.train.fitting import Fitted, TrainingRun
from stages.train.initial import Initial, note_initial
from stages.train.options import TrainOptions
from stages.train.windows import WINDOWS


def train(
    options: TrainOptions | None = None,
    *,
    workdir: Path,
    force: bool = False,
    reporter: Reporter | None = None,
) -> Result:
    """Train a recommender on ``sequences.parquet``, ``embeddings.parquet`` and ``codes.parquet``; write ``model/``.

    Args:
        options: by default all defaults.
        workdir: the work directory.
        force: train even when the model is up to date.
        reporter: is told about progress.

    Raises:
        UsageError: for options that do not fit.
        DataError: for artifacts that are missing, damaged, or do not belong together.
    """
    options = options or TrainOptions()
    known = model_class(options.model)
    known.check(_config(options, Catalogue(1)))  # refuses wrong options before anything is read
    count = to_launch(options.processes)
    if (count or own_place()) and not issubclass(known, LearnedModel):
        raise UsageError(f"{options.model} counts, which is the work of one process", "Leave --processes out.")
    device = share_device(options.device, count)
    run = StageRun("train", options, workdir, reporter)
    run.read(SEQUENCES, *known.reads)
    start = note_initial(options.init_from, run, options.model) if options.init_from else None
    if (done := run.fresh()) and not force:
        return done
    if count:
        return launch(
            "stages.train:train", options, workdir=run.workdir, force=force, reporter=run.reporter, count=count
        )

    if said := _masked_without_codes(options, known):
        run.warn(said)
    if slow := slow_bfloat16(options.precision, device.type):
        run.warn(slow)
    if device.type == "cpu" and (said := busy_note(options.threads)):
        run.reporter.info(said)
    with (
        threads(options.threads),
        joined_processes(device, options.process_timeout) as team,
        _torch_state(device),
    ):
        torch.manual_seed(options.seed)
        with run.measure("preparation"):
            items = TrainedItems.read(run.workdir, known.reads, items_now(run.workdir, known.reads))
            initial = Initial.read(start, options, items) if start else None
            whitening = initial.whitening if initial else None
            catalogue = read_catalogue(run.workdir, known.reads, options.text_dim, whitening)
            config = _config(options, catalogue)
            sequences = read_sequences(run.path(SEQUENCES), items=catalogue.items)
            windows = WINDOWS[options.targets](sequences, options.max_history)
            if not len(windows):
                raise DataError(
                    f"{run.path(SEQUENCES)}: no user has two items to train on",
                    "Leave-one-out keeps a user's last two items for validation and test, so some users need four; "
                    "`cocorec preprocess --split temporal` divides by time instead.",
                )
            validation = queries(sequences, "valid", options.max_history)
            if not len(validation.user):
                raise DataError(f"{run.path(SEQUENCES)}: no user has an item to validate on", "Choose another split.")
            model = known.build(config, catalogue)
            matched = initial.into(model, run.path(ITEMS)) if initial else None
        training = TrainingRun(
            run, options, sequences, windows, validation, device, restart=force and not options.resume, team=team
        )
        fitted: Fitted = model.fit(training)
        with run.measure("write"):
            facts = {
                **fitted.facts,
                **({"items_of_initial_model": matched} if matched else {}),
                "threads": torch.get_num_threads(),
            }
            if team.first:
                lineage = run.lineage(facts)
                write_table(run.path(HISTORY), history_table(fitted.history), lineage)
                save_model(run.workdir, config, model_tensors(model, catalogue), lineage, items)
    return run.result(facts, rates=fitted.rates)


def _masked_without_codes(options: TrainOptions, known: type[Model]) -> str | None:
    """That weights were given for losses that the model does not have; ``None`` where it has them."""
    asked = {"--mcm-weight": options.mcm_weight, "--msa-weight": options.msa_weight}
    given = [f"{option} {weight:g}" for option, weight in asked.items() if weight]
    if not given or (issubclass(known, LearnedModel) and {"mcm", "msa"} <= set(known.loss_names)):
        return None
    return f"the model {options.model} has no codes to mask: {' and '.join(given)} change nothing (see --model cocorec)"


def _config(options: TrainOptions, catalogue: Catalogue) -> ModelConfig:
    """The sizes that the options and the catalogue give a model."""
    names = {found.name for found in fields(ModelConfig)} & {found.name for found in fields(options)}
    sizes = {
        **{name: getattr(options, name) for name in names},
        "with_ids": options.with_ids and model_class(options.model).takes_ids,
        "items": catalogue.items,
        "views": len(catalogue.views),
        "codes": 0 if catalogue.codes is None else catalogue.codes.shape[1],
        "codebook_size": catalogue.codebook_size,
        "text_dim": 0 if catalogue.texts is None else options.text_dim,
    }
    return ModelConfig(**sizes)


@contextlib.contextmanager
def _torch_state(device: torch.device) -> Iterator[None]:
    """Set up torch for a run and leave it as it was: determinism, generators."""
    keep_freed_memory()
    on_cpu = device.type == "cpu"
    before = torch.get_deterministic_debug_mode()
    deterministic: Any = torch.utils.deterministic  # the setting below is a property that type checkers do not see
    fill = deterministic.fill_uninitialized_memory
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        try:
            # Not torch.use_deterministic_algorithms, which loads torch's compiler.
            torch.set_deterministic_debug_mode("warn" if on_cpu else "default")
            deterministic.fill_uninitialized_memory = False  # costs time and hides nothing here
            yield
        finally:
            torch.set_deterministic_debug_mode(before)
            deterministic.fill_uninitialized_memory = fill
