"""``model/``: the configuration and the weights of a trained model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from stages.artifacts.atomic import atomic_path, missing, read_json, write_json
from stages.artifacts.digest import check_digest
from stages.artifacts.errors import DataError
from stages.artifacts.lineage import KEY, Lineage, read_lineage
from stages.artifacts.names import MODEL_CONFIG, MODEL_WEIGHTS
from stages.model.base import Model
from stages.model.catalogue import Catalogue, read_catalogue
from stages.model.config import ModelConfig
from stages.model.registry import model_class

_WHITENING = "whitening."


@dataclass(frozen=True)
class Trained:
    """A model ready to use, and what it was made of."""

    model: Model
    catalogue: Catalogue
    lineage: Lineage | None


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
    if not Path(path).exists():
        raise missing(path)
    try:
        check_digest(path)
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path} is not a readable safetensors file: {error}", "Train again.") from error


def save_model(workdir: Path, config: ModelConfig, tensors: dict[str, Tensor], lineage: Lineage) -> None:
    """Write weights, then configuration, each with its lineage.

    Args:
        workdir: the work directory.
        config: the model's sizes.
        tensors: from :func:`model_tensors`.
        lineage: of the training run.
    """
    workdir = Path(workdir)
    save_tensors(workdir / MODEL_WEIGHTS, tensors, {KEY: lineage.metadata_text()})
    content: dict[str, Any] = {"model": config.to_dict(), KEY: lineage.metadata()}
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
    path = Path(workdir) / MODEL_CONFIG
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
        raise DataError(f"{path}: no table 'model'", "Train again with `cocorec train --force`.")
    return ModelConfig.from_dict(content["model"], path)


def load_model(workdir: Path, device: torch.device) -> Trained:
    """Load the trained model with the items that are in the work directory now, in evaluation mode.

    Raises:
        DataError: when a file is missing, damaged, or of another model than its neighbours.
    """
    workdir = Path(workdir)
    path = workdir / MODEL_CONFIG
    config = read_config(workdir)
    known = model_class(config.model)
    tensors, _ = load_tensors(workdir / MODEL_WEIGHTS)
    if read_lineage(path) != read_lineage(workdir / MODEL_WEIGHTS):
        raise DataError(
            f"{path} and {workdir / MODEL_WEIGHTS} are of different training runs", "Run `cocorec train` again."
        )
    whitening = {k.removeprefix(_WHITENING): v for k, v in tensors.items() if k.startswith(_WHITENING)}
    catalogue = read_catalogue(workdir, known.reads, config.text_dim, whitening)
    found = (catalogue.items, len(catalogue.views), catalogue.codebook_size)
    codes = 0 if catalogue.codes is None else catalogue.codes.shape[1]
    if (*found, codes) != (config.items, config.views, config.codebook_size, config.codes):
        raise DataError(
            f"{path}: the model knows {config.items} items of {config.views} views and {config.codes} codes, "
            f"{workdir} has {catalogue.items} of {len(catalogue.views)} and {codes}",
            "Run `cocorec train` again.",
        )
    weights = {k: v for k, v in tensors.items() if not k.startswith(_WHITENING)}
    try:
        model = known.restore(config, catalogue, weights)
    except (RuntimeError, TypeError, ValueError) as error:
        raise DataError(f"{workdir / MODEL_WEIGHTS} does not fit {path}: {error}", "Train again.") from error
    return Trained(model.to(device).eval(), catalogue, read_lineage(path))
