from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stages.embed import batches
from stages.embed.batches import plan_batches


def digests(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(2**63, size=(count, 2), dtype=np.uint64)


@given(st.lists(st.integers(1, 200), min_size=1, max_size=300), st.integers(1, 2000))
def test_batches_hold_every_text_once_and_keep_the_limit(lengths: list[int], limit: int) -> None:
    counts = np.array(lengths)
    plan = plan_batches(digests(len(lengths)), counts, limit)
    assert sorted(plan.order) == list(range(len(lengths)))
    assert plan.batches[0] == 0
    assert plan.batches[-1] == len(lengths)
    assert plan.chunk_rows[-1] == len(lengths)
    assert (np.diff(counts[plan.order]) <= 0).all()
    for start, end in pairwise(plan.batches):
        rows = counts[plan.order[start:end]]
        assert len(rows) * rows.max() <= limit or len(rows) == 1


def test_the_plan_depends_on_the_texts_alone_not_on_their_order() -> None:
    rng = np.random.default_rng(0)
    texts, lengths = digests(500), rng.integers(1, 30, 500)
    shuffled = rng.permutation(500)
    first = plan_batches(texts, lengths, 64)
    second = plan_batches(texts[shuffled], lengths[shuffled], 64)
    np.testing.assert_array_equal(texts[first.order], texts[shuffled][second.order])
    np.testing.assert_array_equal(first.batches, second.batches)


def test_chunks_end_between_batches_after_enough_tokens() -> None:
    lengths = np.full(5000, 32)
    plan = plan_batches(digests(5000), lengths, 1024)
    tokens = np.diff(plan.chunk_rows) * 32
    assert (tokens[:-1] == batches.CHUNK_TOKENS).all()
    assert 0 < tokens[-1] <= batches.CHUNK_TOKENS
