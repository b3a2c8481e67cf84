import pytest
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


@pytest.mark.parametrize("most", [1, 50, 1 << 20])
def test_blocks_hold_each_history_and_query_once(most):
    lengths = [2, 4, 1, 3]
    packing = Packing.of_lengths(torch.tensor(lengths))
    histories, queries = torch.arange(10, 20), torch.tensor([1, 2, 5, 6, 9])
    blocks = packing.blocks(queries, most)
    assert len(blocks) == {1: 4, 50: 2, 1 << 20: 1}[most]
    read, asked, numbers = [], [], []
    for block in blocks:
        part = histories[block.positions]
        alone = Packing.of_lengths(torch.tensor(lengths[block.histories]), packing.length)
        assert torch.equal(block.packing.rows, alone.rows) and torch.equal(block.packing.columns, alone.columns)
        assert block.packing.batch == alone.batch
        read += part.tolist()
        asked += part[block.queries].tolist()
        numbers += [block.first + number for number in range(len(block.queries))]
    assert read == histories.tolist()
    assert asked == histories[queries].tolist()
    assert numbers == list(range(5))
