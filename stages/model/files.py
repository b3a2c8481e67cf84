"""``model/``: the configuration and the weights of a trained model."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from stages.artifacts.atomic import atomic_path, read_json, require_file, write_json
from stages.artifacts.digest import check_digest
from stages.artifacts.errors import DataError
from stages.artifacts.lineage import KEY, Lineage, read_lineage
from stages.artifacts.names import ITEMS, MODEL_CONFIG, MODEL_DIR, MODEL_WEIGHTS
from stages.model.base import Model
from stages.model.catalogue import Catalogue, read_catalogue
from stages.model.config import ModelConfig
from stages.model.registry import model_class
from stages.model.shapes import require_fitting_weights
from stages.model.trained_items import TrainedItems, items_now

_WHITENING = "whitening."


@dataclass(frozen=True)
class Trained:
    """A model ready to use, and what it was made of.

    Attributes:
        model: in evaluation mode, for all items of the catalogue.
        catalogue: the items that are there now.
        lineage: of the training run.
        added: how many items came after training; the last ones of the catalogue.
    """

    model: Model
    catalogue: Catalogue
    lineage: Lineage | None
    added: int = 0

    @property
    def note(self) -> str | None:
        """What is to be said before the model is used on a catalogue that has grown; else ``None``."""
        return grown_note(self.model.config, self.added)


def save_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file, whole or not at all; equal tensors and metadata give equal bytes.

    Args:
        path: the file.
        tensors: by name.
        metadata: of one key, since the library writes several in no fixed order.

    Raises:
        DataError: when the disk is full or the folder cannot be written.
    """
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    # Not save_file: it has temporary files of its own, which a killed process would leave for ever.
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(contiguous, metadata=metadata))


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a safetensors file and its metadata.

    Raises:
        DataError: when it is missing or damaged.
    """
    require_file(path)
    try:
        check_digest(path)
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path} is not a readable safetensors file: {error}", "Train again.") from error


def save_model(
    workdir: Path,
    config: ModelConfig,
    tensors: dict[str, Tensor],
    lineage: Lineage,
    items: TrainedItems | None = None,
) -> None:
    """Write weights, then configuration, each with its lineage.

    Args:
        workdir: the work directory.
        config: the model's sizes.
        tensors: from :func:`model_tensors`.
        lineage: of the training run.
        items: what the model will know its items by when the catalogue grows.
    """
    workdir = Path(workdir)
    save_tensors(workdir / MODEL_WEIGHTS, tensors, {KEY: lineage.metadata_text()})
    known = {"items": items.to_dict()} if items else {}
    content: dict[str, Any] = {"model": config.to_dict(), **known, KEY: lineage.metadata()}
    write_json(workdir / MODEL_CONFIG, content)


def model_tensors(model: Model, catalogue: Catalogue) -> dict[str, Tensor]:
    """A model's weights with the whitening of its texts, by name."""
    whitening = {_WHITENING + name: tensor for name, tensor in catalogue.whitening.items()}
    return {**model.state_dict(), **whitening}


def read_config(workdir: Path) -> ModelConfig:
    """The sizes of the trained model.

    Raises:
        DataError: when ``config.json`` is missing or is not one of ours.
    """
    return read_saved(workdir).config


@dataclass(frozen=True)
class Saved:
    """A trained model as it lies in a work directory.

    Attributes:
        workdir: the work directory.
        config: the model's sizes.
        items: what it knows its items by.
        folder: where the model itself lies, ``model/`` in the work directory unless it came alone.
    """

    workdir: Path
    config: ModelConfig
    items: TrainedItems
    folder: Path

    @property
    def path(self) -> Path:
        """Its ``config.json``."""
        return self.folder / Path(MODEL_CONFIG).name

    @property
    def weights_path(self) -> Path:
        """Its ``model.safetensors``."""
        return self.folder / Path(MODEL_WEIGHTS).name

    def tensors(self, *, of_this_run: bool = True) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The weights, and the whitening of the texts by view.

        Args:
            of_this_run: refuse weights of another training run than ``config.json``.

        Raises:
            DataError: when the weights are missing, damaged, or of another training run.
        """
        weights = self.weights_path
        tensors, _ = load_tensors(weights)
        if of_this_run and read_lineage(self.path) != read_lineage(weights):
            raise DataError(f"{self.path} and {weights} are of different training runs", "Run `cocorec train` again.")
        whitening = {k.removeprefix(_WHITENING): v for k, v in tensors.items() if k.startswith(_WHITENING)}
        return {k: v for k, v in tensors.items() if not k.startswith(_WHITENING)}, whitening


def read_saved(workdir: Path, folder: Path | None = None) -> Saved:
    """What ``config.json`` says of a trained model.

    Args:
        workdir: the work directory.
        folder: of the model, where that is not ``model/`` in the work directory.

    Raises:
        DataError: when the file is missing or is not one of ours.
    """
    folder = Path(workdir) / MODEL_DIR if folder is None else folder
    path = folder / Path(MODEL_CONFIG).name
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
        raise DataError(f"{path}: no table 'model'", "Train again with `cocorec train --force`.")
    items = TrainedItems.from_dict(content.get("items"), path)
    return Saved(Path(workdir), ModelConfig.from_dict(content["model"], path), items, folder)


def added_items(workdir: Path) -> int:
    """How many items came after the model of a work directory was trained: the catalogue may have grown, no more.

    Items are known by their ids: those that the model knows have to come first, in the same order, and texts and codes
    have to be made in the same way. A stage notes the model of a catalogue that has grown as ``earlier``, see
    :meth:`stages.frame.run.StageRun.read`.

    Returns:
        0 on the catalogue that it was trained on, and wherever a check is left to :func:`load_model`.

    Raises:
        DataError: when the items are others, or fewer, or the model cannot rank items that came later.
    """
    saved = read_saved(workdir)
    known, path = model_class(saved.config.model), saved.path
    now, before = items_now(workdir, known.reads), saved.config.items
    if now < before:
        return 0  # refused with all that differs when the model is loaded
    here = TrainedItems.read(workdir, known.reads, before)
    if saved.items.ids is not None and here.ids is not None and saved.items.ids != here.ids:
        raise DataError(
            f"{path}: the model knows other items than the first {before:,} of {saved.workdir / ITEMS}",
            "Keep their numbers with `cocorec preprocess --extend`, or run `cocorec train` again.",
        )
    if now == before:
        return 0
    if not known.ranks_new_items:
        raise DataError(
            f"{path}: {saved.config.model} ranks only the {before:,} items that it was trained on; there are {now:,}",
            "Run `cocorec train` again, with --init-from to start from what it has learnt.",
        )
    if saved.items.ids is None or here.ids is None:
        missing = path if saved.items.ids is None else saved.workdir / ITEMS
        raise DataError(
            f"{path}: the model was trained on {before:,} items; there are {now:,}, and {missing} does not tell "
            "whether they begin with the same ones",
            f"Put {ITEMS} beside the other files, also when training, or run `cocorec train` again.",
        )
    saved.items.require_same_inputs(here, str(path))
    return now - before


def grown_note(config: ModelConfig, added: int) -> str | None:
    """What is to be said before a model is used on a catalogue that grew by ``added`` items; ``None`` for 0."""
    if not added:
        return None
    items = f"{added:,} items came" if added > 1 else "1 item came"
    return f"{items} after {config.model} was trained: {model_class(config.model).on_new_items(config)}"


def load_model(workdir: Path, device: torch.device) -> Trained:
    """Load the trained model with the items that are in the work directory now, in evaluation mode.

    The catalogue may have grown since it was trained, see :func:`added_items`.

    Raises:
        DataError: when a file is missing, damaged, or of another model than its neighbours, or the items are others.
    """
    workdir = Path(workdir)
    saved = read_saved(workdir)
    path, config, known = saved.path, saved.config, model_class(saved.config.model)
    weights, whitening = saved.tensors()
    require_fitting_weights(known, config, weights, path, workdir / MODEL_WEIGHTS)
    added = added_items(workdir)
    catalogue = read_catalogue(workdir, known.reads, config.text_dim, whitening)
    found = (catalogue.items - added, len(catalogue.views), catalogue.codebook_size)
    codes = 0 if catalogue.codes is None else catalogue.codes.shape[1]
    if (*found, codes) != (config.items, config.views, config.codebook_size, config.codes):
        raise DataError(
            f"{path}: the model knows {config.items} items of {config.views} views and {config.codes} codes, "
            f"{workdir} has {catalogue.items} of {len(catalogue.views)} and {codes}",
            "Run `cocorec train` again.",
        )
    try:
        if added:
            config, weights = replace(config, items=catalogue.items), known.with_new_items(weights, added)
        model = known.restore(config, catalogue, weights)
    except (RuntimeError, TypeError, ValueError) as error:
        raise DataError(f"{workdir / MODEL_WEIGHTS} does not fit {path}: {error}", "Train again.") from error
    model.origin = str(workdir / MODEL_WEIGHTS)
    return Trained(model.to(device).eval(), catalogue, read_lineage(path), added)
