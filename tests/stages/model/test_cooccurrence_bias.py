"""The bias against counts made anew without the history that is asked about."""

import math
from collections import Counter, defaultdict

import numpy as np
import pytest
import torch

from stages.artifacts.sequences import Sequences
from stages.model.cooccurrence_bias import CooccurrenceBias, with_new_items
from stages.model.packing import Packing

ITEMS, WINDOW, RECENT = 12, 5, 3


def log_of(histories: list[list[int]]) -> Sequences:
    """Histories of which all is training."""
    lengths = np.array([len(history) for history in histories], dtype=np.int64)
    items = np.concatenate([np.array(history, dtype=np.int32) for history in histories])
    return Sequences(items, np.concatenate([[0], np.cumsum(lengths)]), lengths, lengths)


@pytest.fixture(scope="module")
def histories() -> list[list[int]]:
    random = np.random.default_rng(3)
    return [
        random.choice(np.arange(1, ITEMS), size=length, p=np.arange(ITEMS - 1, 0, -1) / 66).tolist()
        for length in [2, 3, 6, 6, 4, 5, 6, 3, 2, 6, 4, 6]
    ]


def counted(histories: list[list[int]], partners: int = 100) -> CooccurrenceBias:
    bias = CooccurrenceBias(ITEMS, WINDOW, RECENT, partners)
    bias.count(log_of(histories))
    torch.manual_seed(0)
    for parameter in bias.parameters():
        parameter.data.normal_()
    return bias


def bucket(value: float, width: float, first: int, buckets: int) -> int:
    return min(max(round(math.log2(max(value, 2**-20)) / width) - first, 0), buckets - 1)


def naive(bias: CooccurrenceBias, others: list[list[int]], all_of_them: list[list[int]], read: list[int]) -> np.ndarray:
    """Shifts (N + 1,) after the items read, from walks through the histories that count."""
    weight, back = defaultdict(float), float(bias.backward)
    for items in others:
        for at, earlier in enumerate(items):
            for distance, later in enumerate(items[at + 1 : at + 1 + WINDOW], 1):
                weight[earlier, later] += distance**-0.5
                weight[later, earlier] += back * distance**-0.5
    occurred = Counter(item for items in others for item in items)
    everywhere = Counter(item for items in all_of_them for item in items)
    shifts = np.zeros(ITEMS + 1)
    for age, item in enumerate(reversed(read[-RECENT:])):
        for other in set(range(1, ITEMS + 1)) - set(read):
            if weight[item, other] > 1e-3:
                shifts[other] += (
                    bias.by_times[age, bucket(weight[item, other], 0.5, -3, 16)]
                    + bias.by_item[age, bucket(everywhere[item], 1, 0, 10)]
                    + bias.by_candidate[age, bucket(occurred[other], 1, 0, 10)]
                ).item()
    return shifts


def dense(shifts, queries: int) -> np.ndarray:
    assert shifts.rows.tolist() == sorted(shifts.rows.tolist())
    found = torch.zeros(queries, ITEMS + 1)
    return found.index_put((shifts.rows, shifts.items), shifts.values, accumulate=True).detach().numpy()


def packed(histories: list[list[int]]) -> tuple[torch.Tensor, Packing]:
    items = torch.tensor([item for history in histories for item in history])
    return items, Packing.of_lengths(torch.tensor([len(history) for history in histories]))


def test_training_leaves_the_history_out(histories):
    bias = counted(histories)
    items, packing = packed([history[:-1] for history in histories])
    following = torch.tensor([history[-1] for history in histories])
    queries = torch.arange(len(items))
    found = dense(bias(items, packing, queries, following), len(items))
    assert np.abs(found).max() > 0.5
    for query in queries.tolist():
        user, at = int(packing.rows[query]), int(packing.columns[query])
        others = histories[:user] + histories[user + 1 :]
        expected = naive(bias, others, histories, histories[user][: at + 1])
        np.testing.assert_allclose(found[query], expected, atol=1e-5)


def test_ranking_uses_all_counts_but_for_items_that_were_seen(histories):
    bias = counted(histories)
    asked = [*histories, [12], [1, 12, 1]]
    items, packing = packed(asked)
    found = dense(bias(items, packing, packing.last, None), len(asked))
    for row, read in enumerate(asked):
        np.testing.assert_allclose(found[row], naive(bias, histories, histories, read), atol=1e-5)


def test_queries_may_be_some_of_the_positions(histories):
    bias = counted(histories)
    items, packing = packed([history[:-1] for history in histories])
    following = torch.tensor([history[-1] for history in histories])
    chosen = torch.tensor([0, 3, 7, len(items) - 1])
    whole = dense(bias(items, packing, torch.arange(len(items)), following), len(items))
    np.testing.assert_allclose(dense(bias(items, packing, chosen, following), 4), whole[chosen], atol=1e-6)


def test_each_item_keeps_its_most_frequent_partners(histories):
    whole, few = counted(histories), counted(histories, partners=3)
    n = ITEMS + 1
    for item in range(1, n):
        everyone = whole.times[whole.starts[item] : whole.starts[item + 1]].tolist()
        kept = few.times[few.starts[item] : few.starts[item + 1]].tolist()
        assert sorted(kept, reverse=True) == sorted(everyone, reverse=True)[:3]
        assert float(few.least[item]) == pytest.approx(sorted([0, 0, 0, 0, *everyone], reverse=True)[3])


def test_a_partner_that_the_history_alone_keeps_is_unknown_to_it():
    # Item 1 stood once each beside 2, 3 and 4; with two partners kept, 4 is left out, unless 1 and 4 met twice.
    histories = [[1, 2], [1, 3], [1, 4], [1, 4]]
    bias = counted(histories, partners=2)
    items, packing = packed([[1]])
    shifts = dense(bias(items, packing, torch.tensor([0]), torch.tensor([4])), 1)
    assert 4 in bias.partners[bias.starts[1] : bias.starts[2]]
    assert shifts[0, 4] == pytest.approx(0)  # without this history the count is no more than what was left out


def test_the_gradient_reaches_every_number_that_was_used(histories):
    bias = counted(histories)
    items, packing = packed([history[:-1] for history in histories])
    following = torch.tensor([history[-1] for history in histories])
    bias(items, packing, torch.arange(len(items)), following).values.sum().backward()
    for parameter in (bias.by_times, bias.by_item, bias.by_candidate):
        assert parameter.grad.abs().sum() > 0


def test_nothing_is_counted_without_pairs():
    bias = counted([[3], [5]])
    items, packing = packed([[3], [5]])
    assert len(bias.partners) == 0
    assert len(bias(items, packing, packing.last, torch.tensor([1, 2])).rows) == 0


def test_counts_are_saved_and_new_items_have_none(histories):
    bias = counted(histories)
    saved = {f"pairs.{name}": tensor for name, tensor in bias.state_dict().items()}
    grown = with_new_items(saved, "pairs.", 4)
    larger = CooccurrenceBias(ITEMS + 4, WINDOW, RECENT, 100)
    larger.load_state_dict({name.removeprefix("pairs."): tensor for name, tensor in grown.items()})
    items, packing = packed([*histories, [15]])
    found = larger(items, packing, packing.last, None)
    assert int(found.items.max()) <= ITEMS
    again = bias(*packed(histories), packed(histories)[1].last, None)
    assert len(found.rows) == len(again.rows)
    assert torch.equal(found.values, again.values)


@pytest.mark.parametrize("spoil", ["partner above N", "starts descend", "fewer times"])
def test_counts_of_another_catalogue_are_refused(histories, spoil):
    state = {name: tensor.clone() for name, tensor in counted(histories).state_dict().items()}
    if spoil == "partner above N":
        state["partners"][0] = ITEMS + 1
    elif spoil == "starts descend":
        state["starts"][4] = state["starts"][-1] + 1
    else:
        state["times"] = state["times"][1:]
    with pytest.raises(ValueError, match="another catalogue"):
        CooccurrenceBias(ITEMS, WINDOW, RECENT, 100).load_state_dict(state)


def test_neighbours_are_told_apart_from_repeats(histories):
    """A pair of an item with itself may be counted, and shifts nothing."""
    bias = counted([[2, 2, 2], *histories])
    items, packing = packed([[2]])
    assert dense(bias(items, packing, packing.last, None), 1)[0, 2] == 0
