"""``quantizer.safetensors``: the whitening and codebooks of every view as plain float32 tensors."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stages.artifacts.atomic import atomic_path, require_file
from stages.artifacts.digest import check_digest
from stages.artifacts.errors import DataError
from stages.artifacts.lineage import KEY, Lineage, read_lineage
from stages.quantize.codebooks import Matrix, ViewQuantizer
from stages.quantize.options import METHODS
from stages.whitening import Whitening

FITTED_ITEMS, HELD_OUT_ERROR = "fitted_items", "held_out_error"
"""Facts that codebooks keep when they code a catalogue that has grown."""

_HINT = "Give --codebooks a quantizer.safetensors that `cocorec quantize` wrote."


@dataclass(frozen=True)
class SavedQuantizer:
    """What a file holds.

    Attributes:
        views: the quantizer of each view, in code order.
        options: that they were fitted with.
        fitted_items: the size of the catalogue that they were fitted to.
        held_out: by view, the relative error on items that they were not fitted to, ``None`` where it is not known.
    """

    views: Mapping[str, ViewQuantizer]
    options: Mapping[str, Any]
    fitted_items: int
    held_out: Mapping[str, float | None]

    @property
    def fingerprint(self) -> str:
        """See :func:`quantizer_fingerprint`."""
        return quantizer_fingerprint(self.views)


def quantizer_fingerprint(views: Mapping[str, ViewQuantizer]) -> str:
    """Of the tensors and the order of the views; where a file comes from does not count."""
    method = next(iter(views.values())).method
    digest = hashlib.sha256(json.dumps([method, list(views)]).encode())
    for name, tensor in _tensors(views).items():
        digest.update(json.dumps([name, tensor.shape]).encode())
        digest.update(np.ascontiguousarray(tensor).data)
    return "sha256:" + digest.hexdigest()


def save_quantizer(path: Path, views: Mapping[str, ViewQuantizer], lineage: Lineage) -> None:
    """Write the quantizer of each view: ``<view>/mean`` (D,), ``<view>/projection`` (D, k), ``<view>/codebooks``.

    Raises:
        DataError: when the disk is full or the folder cannot be written.
    """
    from safetensors.numpy import save

    with atomic_path(path) as temporary:
        temporary.write_bytes(save(_tensors(views), metadata={KEY: lineage.metadata_text()}))


def load_quantizer(path: Path) -> SavedQuantizer:
    """Read what :func:`save_quantizer` wrote.

    Raises:
        DataError: when the file is missing, damaged, of another kind, or its tensors do not fit each other.
    """
    from safetensors import SafetensorError, safe_open

    require_file(path)
    check_digest(path)
    lineage = read_lineage(path)
    try:
        method = str(lineage.options["method"]) if lineage else ""
        told = {str(facts["view"]): facts for facts in lineage.facts["views"]} if lineage else {}
        fitted = int(lineage.facts.get(FITTED_ITEMS, lineage.facts["items"])) if lineage else 0
    except (KeyError, TypeError, ValueError, OverflowError):
        method, told, fitted = "", {}, 0
    order = list(told)
    if lineage is None or method not in METHODS or not order:
        raise DataError(f"{path} does not say how its codebooks were made", _HINT)
    views = {}
    try:
        with safe_open(path, framework="numpy") as file:
            for view in order:
                mean, projection, codebooks = (
                    _checked(file.get_tensor(f"{view}/{part}"), f"{view}/{part}", dimensions, path)
                    for part, dimensions in (("mean", 1), ("projection", 2), ("codebooks", 3))
                )
                whitening = Whitening(mean, projection, np.zeros(0))
                views[view] = ViewQuantizer(method, whitening, codebooks)
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path}: {error}", _HINT) from error
    for view, quantizer in views.items():
        _check_shapes(view, quantizer, path)
    if len({quantizer.levels for quantizer in views.values()}) > 1:
        raise DataError(f"{path}: the views' codebooks differ in levels", _HINT)
    held_out = {view: told[view].get(HELD_OUT_ERROR) for view in order}
    return SavedQuantizer(views, lineage.options, fitted, held_out)


def _tensors(views: Mapping[str, ViewQuantizer]) -> dict[str, Matrix]:
    tensors: dict[str, Matrix] = {}
    for view, quantizer in views.items():
        tensors[f"{view}/mean"] = quantizer.whitening.mean
        tensors[f"{view}/projection"] = quantizer.whitening.projection
        tensors[f"{view}/codebooks"] = quantizer.codebooks
    return tensors


def _checked(tensor: Matrix, name: str, dimensions: int, path: Path) -> Matrix:
    if tensor.dtype != np.float32 or tensor.ndim != dimensions:
        raise DataError(f"{path}: tensor {name!r} is {tensor.dtype}{list(tensor.shape)}", _HINT)
    if not np.isfinite(tensor).all():
        raise DataError(f"{path}: tensor {name!r} holds values that are not finite", _HINT)
    return tensor


def _check_shapes(view: str, quantizer: ViewQuantizer, path: Path) -> None:
    whitening, codebooks = quantizer.whitening, quantizer.codebooks
    width = codebooks.shape[2] * (1 if quantizer.method == "rq" else quantizer.levels)
    fits = whitening.projection.shape == (len(whitening.mean), width) and 1 < quantizer.codebook_size <= 65_536
    if not fits:
        raise DataError(
            f"{path}: the tensors of view {view!r} do not fit each other: mean {list(whitening.mean.shape)}, "
            f"projection {list(whitening.projection.shape)}, codebooks {list(codebooks.shape)}",
            _HINT,
        )
