import numpy as np
import pytest
import torch
from torch.nn import functional as F

from stages.artifacts.errors import NotFiniteError
from stages.model import neighbours
from stages.model.neighbours import nearest


@pytest.fixture(params=[1 << 22, 30], ids=["whole", "chunks"])
def _chunk(request, monkeypatch):
    monkeypatch.setattr(neighbours, "_SCORES", request.param)


def vectors_of(items: int) -> torch.Tensor:
    torch.manual_seed(0)
    vectors = torch.randn(items + 1, 3) * torch.rand(items + 1, 1)
    vectors[0] = 0
    return vectors


@pytest.mark.usefixtures("_chunk")
def test_neighbours_equal_a_full_sort():
    vectors, queries, done = vectors_of(12), torch.tensor([3, 12, 1, 3, 7]), []
    items, cosines = nearest(vectors, queries, top=4, progress=done.append)
    for row, query in enumerate(queries.tolist()):
        scores = F.cosine_similarity(vectors[query][None], vectors)
        scores[[0, query]] = -2
        order = scores.argsort(descending=True)[:4]
        assert items[row].tolist() == order.tolist()
        np.testing.assert_allclose(cosines[row], scores[order], atol=1e-6)
    assert (items.dtype, cosines.dtype, sum(done)) == (np.int32, np.float32, 5)


def test_equal_cosines_are_in_the_order_of_the_numbers():
    vectors = torch.tensor([[0.0, 0], [1, 0], [2, 0], [0, 1], [3, 0], [4, 0]])
    items, cosines = nearest(vectors, torch.tensor([4]), top=4)
    assert items.tolist() == [[1, 2, 5, 3]]
    assert cosines.tolist() == [[1, 1, 1, 0]]


def test_an_item_without_a_vector_has_no_neighbours_and_is_none():
    vectors = vectors_of(4)
    vectors[2] = 0
    items, _ = nearest(vectors, torch.tensor([1, 2]), top=4)
    assert sorted(items[0].tolist()) == [0, 0, 3, 4]
    assert items[0, 2:].tolist() == [0, 0]
    assert items[1].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_vectors_that_are_not_finite_are_refused(value):
    vectors = vectors_of(4)
    vectors[3, 1] = value
    with pytest.raises(NotFiniteError, match=r"vectors of items are not finite\nTrain or embed again\."):
        nearest(vectors, torch.tensor([1]), top=2)
