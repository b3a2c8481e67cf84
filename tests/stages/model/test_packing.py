import torch

from stages.model.packing import Packing, pack


def test_packs_what_it_unpacks():
    packing = Packing.of_lengths(torch.tensor([2, 4, 1]))
    x = torch.randn(7, 3)
    padded = packing.unpack(x)
    assert padded.shape == (3, 4, 3)
    assert torch.equal(padded[0, 2:], torch.zeros(2, 3))
    assert torch.equal(packing.pack(padded), x)


def test_histories_are_packed_one_after_the_other():
    items = torch.arange(10, 20)
    packed, packing = pack(items, torch.tensor([1, 7]), torch.tensor([4, 9]))
    assert packed.tolist() == [11, 12, 13, 17, 18]
    assert packing.rows.tolist() == [0, 0, 0, 1, 1]
    assert packing.columns.tolist() == [0, 1, 2, 0, 1]
    assert (packing.batch, packing.length) == (2, 3)
    assert packed[packing.last].tolist() == [13, 18]
