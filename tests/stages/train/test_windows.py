import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stages.artifacts.sequences import Sequences
from stages.train.windows import WINDOWS, Sampler, every_position, last_position


def sequences_of(lengths: list[int]) -> Sequences:
    """Users with this many training items; two more each are for validation and test."""
    train_end = np.array(lengths)
    offsets = np.concatenate([[0], np.cumsum(train_end + 2)])
    items = np.arange(1, offsets[-1] + 1, dtype=np.int32)
    return Sequences(items, offsets, train_end, train_end + 1)


def training_targets(sequences: Sequences) -> list[int]:
    return [
        int(item)
        for base, end in zip(sequences.offsets[:-1], sequences.train_end, strict=True)
        for item in sequences.items[base + 1 : base + end]
    ]


@given(st.lists(st.integers(0, 40), min_size=1, max_size=12), st.integers(1, 9), st.sampled_from(sorted(WINDOWS)))
def test_each_training_item_but_the_first_is_a_target_once(lengths, max_history, kind):
    sequences = sequences_of(lengths)
    windows = WINDOWS[kind](sequences, max_history)
    targets = [
        int(sequences.items[start + position + 1])
        for start, length, counted in zip(windows.start, windows.length, windows.counted_from, strict=True)
        for position in range(counted, length)
    ]
    assert sorted(targets) == sorted(training_targets(sequences))
    assert windows.targets == len(targets)
    assert (windows.length <= max_history).all()
    assert (windows.length >= 1).all()


@given(st.lists(st.integers(2, 40), min_size=1, max_size=6), st.integers(2, 9))
def test_windows_stay_within_a_user_and_give_context(lengths, max_history):
    sequences = sequences_of(lengths)
    windows = every_position(sequences, max_history)
    user = np.searchsorted(sequences.offsets, windows.start, side="right") - 1
    last_target = windows.start + windows.length
    assert (last_target < sequences.offsets[user] + sequences.train_end[user]).all()
    is_first = windows.start == sequences.offsets[user]
    assert ((windows.counted_from > 0) | is_first).all()


def test_last_position_reads_the_items_before_each_target():
    windows = last_position(sequences_of([4]), max_history=2)
    assert windows.start.tolist() == [0, 0, 1]
    assert windows.length.tolist() == [1, 2, 2]
    assert windows.counted_from.tolist() == [0, 1, 1]


@pytest.mark.parametrize("kind", sorted(WINDOWS))
def test_batches_of_an_epoch_hold_every_target_and_its_history(kind):
    sequences = sequences_of([5, 1, 13, 2, 8])
    items = torch.from_numpy(sequences.items.astype(np.int64))
    sampler = Sampler(items, WINDOWS[kind](sequences, 4), batch_size=3, seed=7)
    order = sampler.order(epoch=2)
    seen = []
    for index in range(len(sampler)):
        batch = sampler.batch(order, index)
        # Items count up by one in this log, so a target is the item read at its position plus one.
        assert torch.equal(batch.items[batch.counted] + 1, batch.targets)
        assert batch.packing.batch <= 3
        starts = batch.packing.columns == 0
        assert starts.sum() == batch.packing.batch
        seen += batch.targets.tolist()
    assert sorted(seen) == sorted(training_targets(sequences))


def test_order_depends_on_seed_and_epoch_alone():
    sequences = sequences_of([30] * 10)
    items = torch.from_numpy(sequences.items.astype(np.int64))
    windows = every_position(sequences, 5)
    one, same = (Sampler(items, windows, 4, seed=1) for _ in range(2))
    other = Sampler(items, windows, 4, seed=2)
    assert np.array_equal(one.order(3), same.order(3))
    assert not np.array_equal(one.order(3), one.order(4))
    assert not np.array_equal(one.order(3), other.order(3))
