import numpy as np
import pytest
import torch

from stages.export.check import read_sample
from stages.export.encoder import Rectangle, UserEncoder
from stages.model.packing import Packing


@pytest.fixture(scope="module")
def encoder(reader):
    return UserEncoder(reader.model, reader.history_table)


def test_it_reads_histories_as_the_model_does(encoder, reader, histories):
    sample = read_sample(reader, histories)
    lengths = (sample.items > 0).sum(1)
    assert {1, reader.length} <= set(lengths.tolist())
    np.testing.assert_allclose(encoder(torch.from_numpy(sample.items)), sample.vectors, atol=1e-6)


def test_zeros_are_passed_over_wherever_they_stand(encoder):
    rows = torch.tensor([[1, 2, 3, 0, 0, 0], [0, 0, 0, 1, 2, 3], [1, 0, 2, 0, 0, 3], [3, 2, 1, 0, 0, 0]])
    vectors = encoder(rows)
    assert torch.equal(vectors[0], vectors[1]) and torch.equal(vectors[0], vectors[2])
    assert (vectors[0] - vectors[3]).abs().max() > 1e-3  # the order counts


def test_vectors_have_length_one_or_zero(encoder):
    norms = encoder(torch.tensor([[5, 0, 0, 0, 0, 0], [0] * 6, [60, 1, 60, 1, 60, 1]])).norm(dim=1)
    torch.testing.assert_close(norms, torch.tensor([1.0, 0.0, 1.0]))


def test_a_history_does_not_depend_on_the_others(encoder):
    rows = torch.randint(0, 61, (9, 6), generator=torch.Generator().manual_seed(1))
    apart = torch.cat([encoder(row[None]) for row in rows])
    torch.testing.assert_close(encoder(rows), apart, atol=1e-6, rtol=0)


def test_a_rectangle_lies_as_a_packing_without_padding():
    packed = torch.arange(24.0).view(6, 4)
    rectangle, packing = Rectangle.of(2, 3), Packing.of_lengths(torch.tensor([3, 3]))
    assert torch.equal(rectangle.rows, packing.rows) and torch.equal(rectangle.columns, packing.columns)
    assert torch.equal(rectangle.unpack(packed), packing.unpack(packed))
    assert torch.equal(rectangle.pack(rectangle.unpack(packed)), packed)
