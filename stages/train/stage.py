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

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.fingerprints import Fingerprints
from stages.artifacts.lineage import Lineage, fresh_lineage, require_consistent
from stages.artifacts.names import HISTORY, MODEL_CONFIG, MODEL_WEIGHTS, SEQUENCES
from stages.artifacts.sequences import read_sequences
from stages.artifacts.tables import write_table
from stages.frame.allocator import keep_freed_memory
from stages.frame.reporter import Reporter
from stages.frame.result import Result
from stages.model.catalogue import Catalogue, needed_files, read_catalogue
from stages.model.config import COUNTING, ModelConfig
from stages.model.device import resolve_device
from stages.model.files import model_tensors, save_model
from stages.model.ranking import queries
from stages.model.recommender import Recommender
from stages.train.adamw import AdamW
from stages.train.average import WeightAverage
from stages.train.checkpoint import Checkpoints, Progress
from stages.train.counting import train_counts
from stages.train.loop import Loop
from stages.train.masking import CodeMasking
from stages.train.objective import Objective
from stages.train.settings import Settings
from stages.train.windows import TARGETS, Sampler


def train(
    *,
    workdir: Path,
    model: str = "cocorec",
    dim: int = 64,
    layers: int = 2,
    heads: int = 2,
    ffn_dim: int = 256,
    fusion_layers: int = 1,
    fusion_heads: int = 2,
    fusion_ffn_dim: int = 256,
    text_dim: int = 128,
    max_history: int = 20,
    dropout: float = 0.3,
    fusion_dropout: float = 0.1,
    learnable_mask: bool = True,
    repeat_bias: bool = True,
    text_residual: bool = True,
    with_ids: bool = False,
    targets: str = "all",
    batch_size: int = 512,
    epochs: int = 200,
    patience: int = 10,
    learning_rate: float = 0.004,
    warmup_steps: int = 100,
    weight_decay: float = 1e-4,
    ema: float = 0.98,
    negatives: int = 0,
    temperature: float = 0.07,
    mcm_weight: float = 0.1,
    msa_weight: float = 0.1,
    mask_ratio: float = 0.5,
    mcm_softmax: str = "position",
    msa_same_target: bool = False,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    resume: bool | None = None,
    force: bool = False,
    reporter: Reporter | None = None,
) -> Result:
    """Train a recommender on ``sequences.parquet``, ``embeddings.parquet`` and ``codes.parquet``.

    Args:
        workdir: the work directory; ``model/`` is written there.
        model: ``cocorec``; ``text``, ``codes`` or ``sasrec`` (item numbers) alone; ``transitions`` or ``popularity``,
            which count and take no notice of the options below.
        dim: d, the model's width.
        layers: Transformer layers of the backbone.
        heads: attention heads of the backbone.
        ffn_dim: hidden width of its feed-forward part.
        fusion_layers: layers of the code-guided fusion.
        fusion_heads: attention heads of the fusion.
        fusion_ffn_dim: hidden width of its feed-forward part.
        text_dim: dimensions to which each view is whitened for the fusion.
        max_history: longest history read, in items.
        dropout: dropout probability of the backbone.
        fusion_dropout: dropout probability of the item encoder.
        learnable_mask: train [MASK] as an input; the authors' code does not.
        repeat_bias: learn by how much items of the history rank higher or lower; the paper does not.
        text_residual: let the texts reach an item's vector directly too; the paper does not.
        with_ids: add a free vector per item to its fused vector.
        targets, batch_size, epochs, patience, learning_rate, warmup_steps, weight_decay, ema, negatives,
        temperature, mcm_weight, msa_weight, mask_ratio, mcm_softmax, msa_same_target, seed, device, precision: see
            :class:`stages.train.settings.Settings`.
        threads: CPU threads; ``None`` for as many as torch takes. Another number can change the last digits.
        resume: ``None`` continues a run of the same options and inputs that was interrupted, or that stopped earlier
            than ``epochs`` and ``patience`` now ask for, if there is one; ``True`` insists on it, ``False`` starts
            afresh.
        force: train even when the model is up to date.
        reporter: is told about progress.

    Raises:
        UsageError: for options that do not fit.
        DataError: for artifacts that are missing, damaged, or do not belong together.
    """
    workdir, reporter = Path(workdir), reporter or Reporter()
    settings = Settings(
        targets=targets,
        batch_size=batch_size,
        epochs=epochs,
        patience=patience,
        learning_rate=learning_rate,
        warmup_steps=warmup_steps,
        weight_decay=weight_decay,
        ema=ema,
        negatives=negatives,
        temperature=temperature,
        mcm_weight=mcm_weight,
        msa_weight=msa_weight,
        mask_ratio=mask_ratio,
        mcm_softmax=mcm_softmax,
        msa_same_target=msa_same_target,
        seed=seed,
        device=device,
        precision=precision,
    )
    sizes: dict[str, Any] = {
        "dim": dim,
        "layers": layers,
        "heads": heads,
        "ffn_dim": ffn_dim,
        "fusion_layers": fusion_layers,
        "fusion_heads": fusion_heads,
        "fusion_ffn_dim": fusion_ffn_dim,
        "max_history": max_history,
        "dropout": dropout,
        "fusion_dropout": fusion_dropout,
        "learnable_mask": learnable_mask,
        "repeat_bias": repeat_bias,
        "text_residual": text_residual,
        "with_ids": with_ids,
    }
    ModelConfig(kind=model, items=1, **sizes)  # refuses wrong options before anything is read
    if text_dim < 1:
        raise UsageError(f"--text-dim must be at least 1, is {text_dim}")
    where = resolve_device(device)
    options = {"model": model, "text_dim": text_dim, **sizes, **settings.to_dict()}
    files = (SEQUENCES, *needed_files(model))
    fingerprints = Fingerprints(workdir)
    inputs = {name: fingerprints.of(workdir / name) for name in files}
    require_consistent(workdir, files, fingerprints)
    outputs = {name: workdir / name for name in (MODEL_CONFIG, MODEL_WEIGHTS, HISTORY)}
    fresh, _ = fresh_lineage(workdir, "train", options, inputs)
    if fresh and not force:
        return Result("train", outputs, fresh.facts, skipped=True)

    began = time.perf_counter()
    with _torch_state(where, threads):
        torch.manual_seed(seed)
        catalogue = read_catalogue(workdir, model, text_dim)
        config = _config(model, catalogue, text_dim, sizes)
        sequences = read_sequences(workdir / SEQUENCES, items=catalogue.items)
        windows = TARGETS[targets](sequences, max_history)
        if not len(windows):
            raise DataError(f"{workdir / SEQUENCES}: no user has two items to train on", "Lower --k-core or add data.")
        validation = queries(sequences, "valid", max_history)
        if not len(validation.user):
            raise DataError(f"{workdir / SEQUENCES}: no user has an item to validate on", "Choose another split.")
        if model in COUNTING:
            return train_counts(
                workdir, config, sequences, validation, Lineage("train", options, inputs), outputs, began
            )
        recommender = _build(config, catalogue).to(where)
        items = torch.from_numpy(sequences.items.astype("int64")).to(where)
        objective = Objective(
            temperature,
            mcm_weight,
            msa_weight,
            negatives,
            CodeMasking(mask_ratio),
            mcm_softmax == "position",
            msa_same_target,
        )
        optimizer = AdamW(recommender.parameters(), learning_rate, weight_decay)
        average = WeightAverage(recommender, ema)
        checkpoints = Checkpoints(workdir)
        progress = _resume_or_start(
            checkpoints, _key(options, inputs), settings, recommender, average, optimizer, resume, force, reporter
        )
        loop = Loop(
            recommender,
            average,
            Sampler(items, windows, batch_size, seed),
            objective,
            settings,
            items,
            validation,
            checkpoints,
            reporter,
        )
        ready = time.perf_counter()
        parameters = sum(parameter.numel() for parameter in recommender.parameters())
        reporter.info(
            f"{model} with {parameters:,} weights on {where}: {len(windows):,} histories, {windows.targets:,} targets, "
            f"{len(loop.sampler)} steps an epoch"
        )
        resumed_at = progress.epoch
        seconds = loop.run(progress, optimizer)
        recommender.load_state_dict(checkpoints.best_weights(progress))
        facts = _facts(model, parameters, windows.targets, len(windows), progress, loop)
        lineage = Lineage("train", options, inputs, facts)
        history = pa.Table.from_pylist(progress.history)
        write_table(workdir / HISTORY, history, lineage)
        save_model(workdir, config, model_tensors(recommender, catalogue), lineage)
    timings = {"preparation": ready - began, **seconds, "total": time.perf_counter() - began}
    epochs_run = progress.epoch - resumed_at
    if epochs_run:
        timings["epoch"] = seconds["training"] / epochs_run
        timings["targets_per_second"] = windows.targets * epochs_run / seconds["training"]
    return Result("train", outputs, facts, timings=timings)


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


def _key(options: dict[str, Any], inputs: dict[str, str]) -> str:
    """Of all that decides the state after an epoch; when to stop does not."""
    deciding = {name: value for name, value in options.items() if name not in ("epochs", "patience")}
    return hashlib.sha256(json.dumps([deciding, inputs], sort_keys=True).encode()).hexdigest()


def _resume_or_start(
    checkpoints: Checkpoints,
    key: str,
    settings: Settings,
    model: Recommender,
    average: WeightAverage,
    optimizer: AdamW,
    resume: bool | None,
    force: bool,
    reporter: Reporter,
) -> Progress:
    if resume is False or (force and not resume):
        checkpoints.clear()
        return Progress(key)
    saved = checkpoints.progress()
    fits = saved is not None and saved.key == key and saved.within(settings)
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
        "stopped_early": progress.epoch < loop.settings.epochs,
        "best_epoch": progress.best_epoch,
        "validation": {name: best[name] for name in ("recall@10", "ndcg@10", "mrr")},
        "losses": {name: best[name] for name in ("loss", "rec", "mcm", "msa") if name in best},
    }


@contextlib.contextmanager
def _torch_state(device: torch.device, threads: int | None) -> Iterator[None]:
    """Set up torch for a run and leave it as it was: threads, determinism, generators."""
    keep_freed_memory()
    on_cpu = device.type == "cpu"
    before = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    deterministic: Any = torch.utils.deterministic  # the setting below is a property that type checkers do not see
    fill = deterministic.fill_uninitialized_memory
    with torch.random.fork_rng([] if on_cpu else [device]):
        try:
            torch.set_num_threads(threads or before[0])
            # Not torch.use_deterministic_algorithms, which loads torch's compiler.
            torch.set_deterministic_debug_mode("warn" if on_cpu else "default")
            deterministic.fill_uninitialized_memory = False  # costs time and hides nothing here
            yield
        finally:
            torch.set_num_threads(before[0])
            torch.set_deterministic_debug_mode(before[1])
            deterministic.fill_uninitialized_memory = fill
