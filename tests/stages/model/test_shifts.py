import torch

from stages.model.shifts import Shifts


def shifts(*entries: tuple[int, int, float]) -> Shifts:
    rows, items, values = zip(*entries, strict=True) if entries else ((), (), ())
    return Shifts(torch.tensor(rows, dtype=torch.int64), torch.tensor(items, dtype=torch.int64), torch.tensor(values))


def test_parts_are_merged_in_the_order_of_the_queries():
    one = shifts((0, 5, 0.1), (0, 6, 0.2), (3, 7, 0.3))
    two = shifts((0, 5, 1.0), (2, 8, 2.0), (3, 9, 3.0), (3, 1, 4.0))
    merged = Shifts.merged([one, shifts(), two], 5)
    assert merged.rows.tolist() == [0, 0, 0, 2, 3, 3, 3]
    assert merged.items.tolist() == [5, 6, 5, 8, 7, 9, 1]
    assert merged.values.tolist() == torch.tensor([0.1, 0.2, 1.0, 2.0, 0.3, 3.0, 4.0]).tolist()


def test_gradients_go_back_to_the_parts():
    values = torch.tensor([1.0, 2.0], requires_grad=True)
    part = Shifts(torch.tensor([1, 2]), torch.tensor([4, 4]), values)
    merged = Shifts.merged([part, shifts((0, 1, 1.0), (2, 2, 1.0))], 3)
    (merged.values * torch.arange(4.0)).sum().backward()
    assert values.grad.tolist() == [1, 2]


def test_only_items_of_the_table_have_a_column():
    part = shifts((0, 2, 0.5), (0, 3, 0.6), (1, 9, 0.7), (1, 4, 0.8))
    (rows, columns), values = part.among(torch.tensor([2, 4, 7]))
    assert (rows.tolist(), columns.tolist()) == ([0, 1], [0, 1])
    assert values.tolist() == torch.tensor([0.5, 0.8]).tolist()
    (rows, columns), _ = part.among(torch.arange(1, 10))
    assert (rows.tolist(), columns.tolist()) == ([0, 0, 1, 1], [1, 2, 8, 3])


def test_items_can_be_left_out():
    part = shifts((0, 2, 0.5), (0, 3, 0.6), (1, 3, 0.7), (1, 4, 0.8)).without(torch.arange(6) == 3)
    assert (part.rows.tolist(), part.items.tolist()) == ([0, 1], [2, 4])
    assert part.values.tolist() == torch.tensor([0.5, 0.8]).tolist()
