"""A model that was trained elsewhere, on the catalogue of a work directory: ``--model-from``."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.lineage import read_lineage
from stages.artifacts.names import ITEMS, MODEL_CONFIG, MODEL_DIR
from stages.model.base import CountingModel
from stages.model.catalogue import Catalogue, read_catalogue
from stages.model.files import Saved, Trained, read_saved
from stages.model.matching import matched_items
from stages.model.recommender import Recommender
from stages.model.registry import model_class
from stages.model.shapes import require_fitting_weights
from stages.model.trained_items import TrainedItems

OPTION = "--model-from"


def find_saved(folder: Path) -> Saved:
    """The model in a folder: the ``model/`` of a work directory under any name, or a work directory itself.

    Raises:
        DataError: when there is none, or it is damaged.
    """
    folder = Path(folder)
    if (folder / Path(MODEL_CONFIG).name).exists():
        return read_saved(folder.absolute().parent, folder)
    if not (folder / MODEL_CONFIG).exists():
        said = "does not exist" if not folder.exists() else f"holds no {Path(MODEL_CONFIG).name} of a model"
        raise DataError(
            f"{OPTION}: {folder} {said}", "Name the model/ of a work directory, or a copy of it such as a hub keeps."
        )
    return read_saved(folder, folder / MODEL_DIR)


def load_model_from(folder: Path, workdir: Path, device: torch.device) -> Trained:
    """Load a model with the items of a work directory that it was not trained in, in evaluation mode.

    Items are what describes them: texts of the same views and encoder, codes of the same codebooks. Where the model has
    vectors of its own for items, these are found by the items' ids.

    Args:
        folder: of the model, see :func:`find_saved`.
        workdir: the work directory that has the items.
        device: where the model goes.

    Raises:
        UsageError: for a model that counts, on another catalogue than its own.
        DataError: when a file is missing or damaged, or the items are described otherwise or cannot be ranked.
    """
    saved, workdir = find_saved(folder), Path(workdir)
    known, config = model_class(saved.config.model), saved.config
    weights, whitening = saved.tensors()
    require_fitting_weights(known, config, weights, saved.path, saved.weights_path)
    here = TrainedItems.read(workdir, known.reads, config.items)
    saved.items.require_same_inputs(here, f"{OPTION}: the model of {saved.path}")
    catalogue = read_catalogue(workdir, known.reads, config.text_dim, whitening)
    _require_same_shape(saved, catalogue, workdir)
    weights, added = _for_items(saved, here, weights, catalogue.items, workdir)
    try:
        model = known.restore(replace(config, items=catalogue.items), catalogue, weights)
    except (RuntimeError, TypeError, ValueError) as error:
        raise DataError(
            f"{OPTION}: {saved.weights_path} does not fit {saved.path}: {error}", "Fetch a good copy."
        ) from error
    model.origin = str(saved.weights_path)
    return Trained(model.to(device).eval(), catalogue, read_lineage(saved.path), added)


def _require_same_shape(saved: Saved, catalogue: Catalogue, workdir: Path) -> None:
    config = saved.config
    codes = 0 if catalogue.codes is None else catalogue.codes.shape[1]
    found = (len(catalogue.views), codes, catalogue.codebook_size)
    if found != (config.views, config.codes, config.codebook_size):
        raise DataError(
            f"{OPTION}: the model of {saved.path} knows items of {config.views} views and {config.codes} codes out of "
            f"{config.codebook_size}, {workdir} has {found[0]}, {found[1]} and {found[2]}",
            "Embed and quantize as it was done for the model.",
        )


def _for_items(
    saved: Saved, here: TrainedItems, weights: dict[str, Tensor], items: int, workdir: Path
) -> tuple[dict[str, Tensor], int]:
    """The weights with a row for each item that is here, and how many items are new to the model."""
    known, before = model_class(saved.config.model), saved.config.items
    same = here.ids is not None and here.ids == saved.items.ids and items >= before
    if same and (items == before or known.ranks_new_items):
        return (known.with_new_items(weights, items - before) if items > before else weights), items - before
    if issubclass(known, CountingModel):
        raise UsageError(
            f"{OPTION}: {saved.config.model} has counted items by their numbers, and {workdir / ITEMS} does not begin "
            "with the same ones",
            "Train it here; it takes a moment.",
        )
    if not issubclass(known, Recommender):
        return weights, 0
    if not known.knows_items(weights):
        nobody = torch.zeros(0, dtype=torch.int64)
        return known.with_other_items(weights, nobody, nobody, items), 0
    there, ours = matched_items(saved, workdir / ITEMS, items, OPTION)
    new = items - len(ours)
    if new and not known.ranks_new_items:
        raise DataError(
            f"{OPTION}: {saved.config.model} ranks only items that it was trained on, and {new:,} of the {items:,} in "
            f"{workdir / ITEMS} are others",
            "Train here, with --init-from to start from what it has learnt.",
        )
    return known.with_other_items(weights, there, ours, items), new
