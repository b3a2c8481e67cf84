import pytest
import torch
from models import config_of

from stages.model import pairs
from stages.model.catalogue import Catalogue
from stages.model.pairs import PairCounts
from stages.model.transitions import Transitions

N = 5
COUNTS = {(1, 2): 3.0, (1, 5): 1.0, (3, 1): 2.0, (3, 3): 4.0, (3, 4): 0.5, (5, 2): 7.0}


def counted(items: int = N) -> PairCounts:
    model = Transitions(config_of("transitions", items))
    places = torch.tensor([i * (items + 1) + j for i, j in COUNTS])
    model.keep(places, torch.tensor(list(COUNTS.values())))
    return model


def partners(model: PairCounts) -> dict[tuple[int, int], float]:
    found = {}
    for item in range(model.config.items + 1):
        for place in range(int(model.starts[item]), int(model.starts[item + 1])):
            found[item, int(model.followers[place])] = float(model.times[place])
    return found


def test_pairs_are_kept_as_sparse_rows():
    model = counted()
    assert partners(model) == COUNTS
    assert model.starts.tolist() == [0, 0, 2, 2, 5, 5, 6]


@pytest.mark.parametrize("entries", [1 << 20, 1, 4])
@pytest.mark.parametrize("weighted", [False, True])
def test_added_rows_equal_a_dense_sum(monkeypatch, entries, weighted):
    monkeypatch.setattr(pairs, "_ENTRIES", entries)
    model = counted()
    dense = torch.zeros(N + 1, N + 1)
    for (i, j), times in COUNTS.items():
        dense[i, j] = times
    rows, items = torch.tensor([0, 0, 0, 1, 3, 3, 3]), torch.tensor([3, 1, 3, 2, 5, 4, 1])
    weights = torch.tensor([1.0, 0.5, 2, 3, 0.25, 1, 8])
    scores = torch.ones(4, N + 1)
    model.add_rows(scores, rows, items, weights if weighted else None)
    added = dense[items] * weights[:, None] if weighted else dense[items]
    torch.testing.assert_close(scores, torch.ones(4, N + 1).index_add(0, rows, added))


def test_nothing_to_add_leaves_the_scores():
    scores = torch.ones(2, N + 1)
    nothing = torch.zeros(0, dtype=torch.int64)
    counted().add_rows(scores, nothing, nothing)
    counted().add_rows(scores, torch.tensor([0, 1]), torch.tensor([2, 4]))  # they stand beside nothing
    assert (scores == 1).all()


def test_saved_counts_come_back_and_take_new_items():
    model = counted()
    tensors = model.state_dict()
    assert partners(Transitions.restore(model.config, Catalogue(N), tensors)) == COUNTS
    grown = Transitions.restore(
        config_of("transitions", N + 2), Catalogue(N + 2), Transitions.with_new_items(tensors, 2)
    )
    assert partners(grown) == COUNTS
    assert grown.occurrences.shape == (N + 3,)
    assert not grown.occurrences[N + 1 :].any()


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [("followers", 0, N + 1), ("followers", 2, 0), ("starts", -1, 5), ("starts", 2, 4), ("starts", 0, 1)],
)
def test_counts_of_another_catalogue_are_refused(name, place, value):
    model = counted()
    tensors = model.state_dict()
    tensors[name][place] = value
    with pytest.raises(ValueError, match="the counts are of another catalogue"):
        Transitions.restore(model.config, Catalogue(N), tensors)
