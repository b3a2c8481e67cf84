"""The entry point of training."""

import contextlib
import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch

from stages.artifacts.errors import DataError
from stages.artifacts.names import HISTORY, SEQUENCES
from stages.artifacts.sequences import read_sequences
from stages.artifacts.tables import write_table
from stages.frame.allocator import keep_freed_memory
from stages.frame.reporter import Reporter
from stages.frame.result import Result
from stages.frame.run import StageRun
from stages.model.catalogue import Catalogue, needed_files, read_catalogue
from stages.model.config import COUNTING, ModelConfig
from stages.model.device import resolve_device
from stages.model.files import model_tensors, save_model
from stages.model.ranking import queries
from stages.model.recommender import Recommender
from stages.train.average import WeightAverage
from stages.train.checkpoint import Checkpoints, Progress
from stages.train.counting import train_counts
from stages.train.loop import Loop
from stages.train.masking import CodeMasking
from stages.train.objective import Objective
from stages.train.options import TrainOptions
from stages.train.windows import WINDOWS, Sampler

SIZES = (
    "dim",
    "layers",
    "heads",
    "ffn_dim",
    "fusion_layers",
    "fusion_heads",
    "fusion_ffn_dim",
    "max_history",
    "dropout",
    "fusion_dropout",
    "learnable_mask",
    "repeat_bias",
    "text_residual",
    "with_ids",
)
"""The options that are kept with the weights, in ``config.json``."""


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
    sizes: dict[str, Any] = {name: getattr(options, name) for name in SIZES}
    ModelConfig(kind=options.model, items=1, **sizes)  # refuses wrong options before anything is read
    where = resolve_device(options.device)
    run = StageRun("train", options, workdir, reporter)
    run.read(SEQUENCES, *needed_files(options.model))
    if (done := run.fresh()) and not force:
        return done

    workdir, reporter = run.workdir, run.reporter
    began = time.perf_counter()
    with _torch_state(where, options.threads):
        torch.manual_seed(options.seed)
        catalogue = read_catalogue(workdir, options.model, options.text_dim)
        config = _config(options.model, catalogue, options.text_dim, sizes)
        sequences = read_sequences(workdir / SEQUENCES, items=catalogue.items)
        windows = WINDOWS[options.targets](sequences, options.max_history)
        if not len(windows):
            raise DataError(f"{workdir / SEQUENCES}: no user has two items to train on", "Lower --k-core or add data.")
        validation = queries(sequences, "valid", options.max_history)
        if not len(validation.user):
            raise DataError(f"{workdir / SEQUENCES}: no user has an item to validate on", "Choose another split.")
        if options.model in COUNTING:
            return train_counts(run, config, sequences, validation)
        recommender = _build(config, catalogue).to(where)
        items = torch.from_numpy(sequences.items.astype("int64")).to(where)
        objective = Objective(
            options.temperature,
            options.mcm_weight,
            options.msa_weight,
            options.negatives,
            CodeMasking(options.mask_ratio),
            options.mcm_softmax == "position",
            options.msa_same_target,
        )
        optimizer = torch.optim.AdamW(
            recommender.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay, fused=True
        )
        average = WeightAverage(recommender, options.ema)
        checkpoints = Checkpoints(workdir)
        progress = _resume_or_start(checkpoints, _key(run), options, recommender, average, optimizer, force, reporter)
        loop = Loop(
            recommender,
            average,
            Sampler(items, windows, options.batch_size, options.seed),
            objective,
            options,
            items,
            validation,
            checkpoints,
            reporter,
        )
        ready = time.perf_counter()
        parameters = sum(parameter.numel() for parameter in recommender.parameters())
        reporter.info(
            f"{options.model} with {parameters:,} weights on {where}: {len(windows):,} histories, "
            f"{windows.targets:,} targets, {len(loop.sampler)} steps an epoch"
        )
        resumed_at = progress.epoch
        seconds = loop.run(progress, optimizer)
        recommender.load_state_dict(checkpoints.best_weights(progress))
        facts = _facts(options.model, parameters, windows.targets, len(windows), progress, loop)
        lineage = run.lineage(facts)
        history = pa.Table.from_pylist(progress.history)
        write_table(workdir / HISTORY, history, lineage)
        save_model(workdir, config, model_tensors(recommender, catalogue), lineage)
    run.seconds |= {"preparation": ready - began, **seconds}
    epochs_run = progress.epoch - resumed_at
    rates = {}
    if epochs_run:
        rates["epoch"] = seconds["training"] / epochs_run
        rates["targets_per_second"] = windows.targets * epochs_run / seconds["training"]
    return run.result(facts, rates=rates)


def _config(kind: str, catalogue: Catalogue, text_dim: int, sizes: dict[str, Any]) -> ModelConfig:
    return ModelConfig(
        kind=kind,
        items=catalogue.items,
        views=len(catalogue.views),
        codes=0 if catalogue.codes is None else catalogue.codes.shape[1],
        codebook_size=catalogue.codebook_size,
        text_dimension=0 if catalogue.texts is None else text_dim,
        **sizes,
    )


def _build(config: ModelConfig, catalogue: Catalogue) -> Recommender:
    model = Recommender(config)
    model.set_items(catalogue.codes, catalogue.texts, catalogue.present)
    return model


def _key(run: StageRun) -> str:
    """Of all that decides the state after an epoch; when to stop does not."""
    deciding = {name: value for name, value in run.recorded.items() if name not in ("epochs", "patience")}
    return hashlib.sha256(json.dumps([deciding, run.inputs], sort_keys=True).encode()).hexdigest()


def _resume_or_start(
    checkpoints: Checkpoints,
    key: str,
    options: TrainOptions,
    model: Recommender,
    average: WeightAverage,
    optimizer: torch.optim.Optimizer,
    force: bool,
    reporter: Reporter,
) -> Progress:
    resume = options.resume
    if resume is False or (force and not resume):
        checkpoints.clear()
        return Progress(key)
    saved = checkpoints.progress()
    fits = saved is not None and saved.key == key and saved.within(options)
    if resume and not fits:
        raise DataError(
            f"{checkpoints.folder}: there is no interrupted run of these options and inputs to --resume",
            "Repeat the options of the interrupted run, or leave --resume out to start afresh.",
        )
    if fits:
        progress = checkpoints.restore(model, average, optimizer)
        reporter.info(f"continuing the run that came to epoch {progress.epoch}")
        return progress
    if saved is not None:
        reporter.info(f"the checkpoint of another run (up to epoch {saved.epoch}) will be overwritten")
    checkpoints.clear()
    return Progress(key)


def _facts(kind: str, parameters: int, targets: int, windows: int, progress: Progress, loop: Loop) -> dict[str, Any]:
    best = progress.history[progress.best_epoch - 1] if progress.best_epoch else progress.history[-1]
    return {
        "model": kind,
        "parameters": parameters,
        "histories": windows,
        "targets": targets,
        "epochs": progress.epoch,
        "steps": progress.step,
        "stopped_early": progress.epoch < loop.options.epochs,
        "best_epoch": progress.best_epoch,
        "validation": {name: best[name] for name in ("recall@10", "ndcg@10", "mrr")},
        "losses": {name: best[name] for name in ("loss", "rec", "mcm", "msa") if name in best},
    }


@contextlib.contextmanager
def _torch_state(device: torch.device, threads: int | None) -> Iterator[None]:
    """Set up torch for a run and leave it as it was: threads, determinism, generators."""
    keep_freed_memory()
    on_cpu = device.type == "cpu"
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    deterministic: Any = torch.utils.deterministic  # the setting below is a property that type checkers do not see
    fill = deterministic.fill_uninitialized_memory
    with torch.random.fork_rng([] if on_cpu else [device]):
        try:
            torch.set_num_threads(threads or before[0])
            torch.use_deterministic_algorithms(on_cpu, warn_only=True)
            deterministic.fill_uninitialized_memory = False  # costs time and hides nothing here
            yield
        finally:
            torch.set_num_threads(before[0])
            torch.use_deterministic_algorithms(before[1])
            deterministic.fill_uninitialized_memory = fill
