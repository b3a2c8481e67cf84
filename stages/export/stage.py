"""The entry point of the export."""

from pathlib import Path
from typing import Any

import torch

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.names import EXPORT_DIR, HISTORIES, ITEMS, MODEL_CARD, MODEL_CONFIG, MODEL_WEIGHTS
from stages.export.card import fresh_card, write_card
from stages.export.companions import are_there, companions, write_companions
from stages.export.files import fresh_export, staged, told_of
from stages.export.forms import Exporter
from stages.export.options import CARD, FORMATS, ONNX, ExportOptions, missing_libraries, require_onnx
from stages.frame.extras import how_to_install
from stages.frame.reporter import Reporter
from stages.frame.result import Result
from stages.frame.run import StageRun
from stages.frame.threads import threads
from stages.model.device import resolve_device
from stages.model.files import added_items, grown_note, load_model, read_config
from stages.model.recommender import Recommender
from stages.model.registry import model_class, needed_files


def export(
    options: ExportOptions | None = None,
    *,
    workdir: Path,
    force: bool = False,
    reporter: Reporter | None = None,
) -> Result:
    """Write what the model knows for other systems, each part checked against the model itself.

    Args:
        options: by default all defaults.
        workdir: the work directory, after ``train``; ``export/`` and ``model/README.md`` are written there.
        force: export even when all is up to date.
        reporter: where progress and messages go.

    Returns:
        What was made, how well the index finds, and by how much the programs differ from the model.

    Raises:
        UsageError: for options that do not fit, or a model without vectors.
        DataError: for artifacts that are missing, damaged, do not belong together, or are replaced meanwhile.
        CocorecError: when a part differs from the model by more than 1e-5.
    """
    options = options or ExportOptions()
    device = resolve_device(options.device)
    run = StageRun("export", options, workdir, reporter)
    formats = _formats(options, run)
    folder = options.output or run.path(EXPORT_DIR)
    config = read_config(run.workdir)
    if set(formats) != {CARD} and not issubclass(model_class(config.model), Recommender):
        raise UsageError(
            f"the model {config.model} has no vectors to export",
            "Train a model that has, such as the default, or take --formats card.",
        )
    run.read(*dict.fromkeys([ITEMS, *needed_files(config.model)]))
    added = added_items(run.workdir)
    run.read(MODEL_CONFIG, MODEL_WEIGHTS, earlier=added > 0)
    run.read(HISTORIES)
    run.recorded["formats"] = list(options.formats or formats)

    outputs: dict[str, Path] = {}
    facts: dict[str, Any] = {}
    skipped = True
    with threads(options.threads):
        if forms := [name for name in formats if name != CARD]:
            known = None if force else fresh_export(folder, run)
            skipped = known is not None
            if known is None:
                if said := grown_note(config, added):
                    run.warn(said)
                known = _export(options, run, forms, folder, device)
            facts |= known
            outputs[f"{folder.name}/"] = folder
        if CARD in formats:
            beside = companions(run)
            if force or not are_there(run):
                write_companions(run)
                skipped = skipped and not beside
            if force or not fresh_card(run, options.license):
                skipped = not write_card(run, options.license, beside) and skipped
            facts |= {"beside_the_model": beside} if beside else {}
            outputs[MODEL_CARD] = run.path(MODEL_CARD)
    seconds = run.result({}).timings
    return Result("export", outputs, facts, skipped=skipped, warnings=tuple(run.warnings), timings=seconds)


def _formats(options: ExportOptions, run: StageRun) -> tuple[str, ...]:
    """What is to be made, in the usual order.

    Raises:
        UsageError: when a library is missing of what was asked for.
    """
    if ONNX in options.formats:
        require_onnx()
    if options.formats:
        return tuple(name for name in FORMATS if name in options.formats)
    if missing := missing_libraries():
        run.warn(f"the encoder is not exported as ONNX: {', '.join(missing)} not installed ({how_to_install(ONNX)})")
    return tuple(name for name in FORMATS if name != ONNX or not missing)


def _export(
    options: ExportOptions, run: StageRun, forms: list[str], folder: Path, device: torch.device
) -> dict[str, Any]:
    """Make all but the card; the facts."""
    with run.measure("loading"):
        model = load_model(run.workdir, device).model
        assert isinstance(model, Recommender)
        exporter = Exporter(model, options, run, forms)
    with staged(folder, run) as staging:
        manifest = exporter.write(staging.folder)
        _require_unchanged(run)
        staging.finish(manifest)
    return told_of(manifest)


def _require_unchanged(run: StageRun) -> None:
    """Refuse to finish an export of files that somebody has replaced since they were read.

    Raises:
        DataError: naming the file.
    """
    for name, expected in run.inputs.items():
        if run.fingerprints.of_contents(run.path(name)) != expected:
            raise DataError(
                f"{run.path(name)} was replaced while it was exported; nothing was changed",
                "Run `cocorec export` again.",
            )
