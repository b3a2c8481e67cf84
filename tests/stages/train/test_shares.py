"""The parts of a batch are the batch, whatever the number of processes."""

import numpy as np
import pytest
import torch

from stages.artifacts.names import SEQUENCES
from stages.artifacts.sequences import read_sequences
from stages.model.team import Team
from stages.train.windows import WINDOWS, Sampler

LENGTH = 4


class Of(Team):
    def __init__(self, rank, count):
        super().__init__()
        self.rank, self.count = rank, count


@pytest.fixture
def batches(structured):
    """Gives the parts of a batch of so many histories, and the batch itself."""
    sequences = read_sequences(structured / SEQUENCES)
    items = torch.from_numpy(sequences.items.astype(np.int64))

    def make(targets, size, count):
        windows = WINDOWS[targets](sequences, LENGTH)
        samplers = [
            Sampler(items, windows, size, 0, team=team) for team in (Team(), *map(Of, range(count), [count] * count))
        ]
        whole, *parts = [sampler.batch(sampler.order(0), 1) for sampler in samplers]
        return whole, parts

    return make


@pytest.mark.parametrize("targets", WINDOWS)
@pytest.mark.parametrize(("size", "count"), [(32, 2), (33, 4), (5, 5)])
def test_the_parts_are_the_whole(batches, targets, size, count):
    whole, parts = batches(targets, size, count)
    assert torch.equal(torch.cat([part.items for part in parts]), whole.items)
    assert torch.equal(torch.cat([part.targets for part in parts]), whole.targets)
    sizes = [part.packing.batch for part in parts]
    assert sum(sizes) == size and max(sizes) - min(sizes) <= 1
    at = 0
    for part in parts:
        step, here = part.step, part.part
        assert torch.equal(step.items, whole.items)
        assert torch.equal(step.items[here.positions], part.items)
        assert torch.equal(step.targets[here.first : here.first + len(part.targets)], part.targets)
        assert torch.equal(step.packing.rows[here.positions] - at, part.packing.rows)
        assert torch.equal(part.packing.columns, step.packing.columns[here.positions])
        assert torch.equal(
            step.counted[here.first : here.first + len(part.targets)] - here.positions.start, part.counted
        )
        assert part.packing.length == int(part.packing.columns.max()) + 1
        assert here.targets == tuple(len(other.targets) for other in parts)
        at += part.packing.batch


def test_a_process_without_a_history_reads_one_and_counts_nothing(batches):
    whole, parts = batches("all", 2, 4)
    counted = [len(part.targets) for part in parts]
    assert sorted(counted)[:2] == [0, 0] and sum(counted) == len(whole.targets)
    for part in parts:
        assert part.packing.batch == 1 and len(part.items)
        assert len(part.counted) == len(part.targets)


def test_one_process_has_the_batch_itself(batches):
    whole, _ = batches("all", 8, 2)
    assert whole.part is None and whole.step is whole
