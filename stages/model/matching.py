"""The items of a model that was trained on another catalogue, found in this one by their ids."""

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import torch
from torch import Tensor

from stages.artifacts.errors import DataError
from stages.artifacts.items import count_items, ids_fingerprint, read_item_ids
from stages.artifacts.names import ITEMS
from stages.model.files import Saved


def matched_items(saved: Saved, item_ids: Path, items: int, option: str) -> tuple[Tensor, Tensor]:
    """Numbers of the same items in the catalogue of a model and in ours, each (S,).

    Args:
        saved: the model; ``items.parquet`` lies in its work directory, or in the folder of the model itself.
        item_ids: our ``items.parquet``.
        items: N, how many items there are here.
        option: that named the model, for errors.

    Raises:
        DataError: when ids cannot be read, or are not those of the items that the model was trained on.
    """
    known = saved.config.items
    there = [path for path in (saved.folder / ITEMS, saved.workdir / ITEMS) if path.exists()]
    # One may be left from an earlier model.
    path = next((path for path in there if _begins_with_its_items(path, saved)), None)
    if path is None and there:
        raise DataError(
            f"{option}: {there[-1]} does not begin with the {known:,} items that the model beside it was trained on",
            "Put the file there that it was trained with.",
        )
    theirs = read_item_ids(path or saved.workdir / ITEMS)
    ours = read_item_ids(item_ids)
    if len(ours) != items:
        raise DataError(f"{item_ids} has {len(ours):,} items, not {items:,}", "Run `cocorec preprocess` again.")
    place = pc.index_in(ours, value_set=theirs.slice(0, known)).to_numpy(zero_copy_only=False)
    here = np.flatnonzero(~np.isnan(place.astype(np.float64)))
    return torch.from_numpy(place[here].astype(np.int64) + 1), torch.from_numpy(here + 1)


def _begins_with_its_items(path: Path, saved: Saved) -> bool:
    known, recorded = saved.config.items, saved.items.ids
    return count_items(path) >= known and (recorded is None or ids_fingerprint(path, known) == recorded)
