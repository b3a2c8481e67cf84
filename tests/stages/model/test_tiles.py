import numpy as np
import torch

from stages.frame.threads import threads
from stages.model.tiles import best, hide, product, ranks_of


def test_the_best_of_many_ties_are_those_of_a_stable_sort():
    # Scores of few values, so that ties cross the end of nearly every list.
    scores = torch.from_numpy(np.random.default_rng(0).integers(0, 4, (200, 31)).astype(np.float32))
    scores[:20] = torch.rand(20, 31)
    hide(scores, (torch.arange(200), torch.randint(1, 31, (200,), generator=torch.manual_seed(0))))
    for k in (1, 7, 29):
        items, values = best(scores, k)
        order = torch.sort(scores, dim=1, descending=True, stable=True).indices[:, :k]
        assert (items == order).all()
        assert (values == scores.gather(1, order)).all()


def test_lists_end_where_nothing_is_left():
    scores = torch.tensor([[9.0, 1, 2, 3], [9, 1, 2, 3]])
    hide(scores, (torch.tensor([1, 1, 1]), torch.tensor([3, 1, 3])))
    items, values = best(scores, 3)
    assert items.tolist() == [[3, 2, 1], [2, 0, 0]]
    assert values[1].tolist() == [2, -torch.inf, -torch.inf]
    assert ranks_of(scores, torch.tensor([1, 3])).tolist() == [3, 4]


def test_products_have_the_same_bits_for_few_rows_as_for_many():
    torch.manual_seed(0)
    users, candidates = torch.randn(64, 32), torch.randn(1001, 32)
    with threads(1):
        whole = product(users, candidates)
        assert (whole == users @ candidates.T).all()
        for size in (1, 2, 5, 9):
            assert torch.cat([product(part, candidates) for part in users.split(size)]).equal(whole)
