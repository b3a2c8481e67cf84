import pytest
import torch
from exporting import trained_in
from growth import rename
from renumbering import keep

from stages.artifacts.errors import DataError
from stages.artifacts.names import ITEMS
from stages.model.files import read_saved
from stages.model.matching import matched_items


def test_items_are_matched_by_their_ids(make_structured, tmp_path):
    saved = read_saved(trained_in(make_structured(tmp_path / "there"), model="popularity"))
    here = make_structured(tmp_path / "here")
    keep(here, [7, 3, 60])
    rename(here, ["item-006", "new", "item-059"])
    there, ours = matched_items(saved, here / ITEMS, 3, "--option")
    assert torch.equal(there, torch.tensor([7, 60])) and torch.equal(ours, torch.tensor([1, 3]))
    with pytest.raises(DataError, match="has 3 items, not 4"):
        matched_items(saved, here / ITEMS, 4, "--option")
    rename(saved.workdir, [f"x{i}" for i in range(60)])
    with pytest.raises(DataError, match=r"--option: .* does not begin with the 60 items"):
        matched_items(saved, here / ITEMS, 3, "--option")
