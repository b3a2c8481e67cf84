import torch

import stages.model.repeats as module
from stages.model.packing import Packing
from stages.model.repeats import RepeatBias, Seen, older_items, seen_items

HISTORIES = [[4, 2, 4], [7], [3, 3, 5, 3, 1]]


def packed():
    items = torch.tensor([item for history in HISTORIES for item in history])
    return items, Packing.of_lengths(torch.tensor([len(history) for history in HISTORIES]))


def entries(seen: Seen) -> list[tuple[int, int, int]]:
    return sorted(zip(seen.rows.tolist(), seen.items.tolist(), seen.ages.tolist(), strict=True))


def test_each_item_once_at_its_last_place():
    items, packing = packed()
    queries = torch.arange(len(items))
    expected = []
    for query in queries.tolist():
        history, at = HISTORIES[packing.rows[query]], int(packing.columns[query])
        ages = {history[place]: at - place for place in range(at + 1)}
        expected += [(query, item, age) for item, age in ages.items()]
    assert entries(seen_items(items, packing, queries)) == sorted(expected)


def test_queries_are_numbered_among_themselves():
    items, packing = packed()
    seen = seen_items(items, packing, packing.last)
    assert seen.rows.tolist() == sorted(seen.rows.tolist())
    assert entries(seen) == [(0, 2, 1), (0, 4, 0), (1, 7, 0), (2, 1, 0), (2, 3, 1), (2, 5, 2)]
    assert entries(seen_items(items, packing, torch.tensor([3]))) == [(0, 7, 0)]
    assert entries(seen_items(items, packing, torch.zeros(0, dtype=torch.int64))) == []


def test_older_items_are_those_before_the_part_that_is_read_and_not_in_it():
    histories = [[5, 2, 5, 9, 4, 2], [7], [3, 3, 8, 3, 1], [6, 6, 6]]
    items = torch.tensor([item for history in histories for item in history])
    end = torch.tensor([len(history) for history in histories]).cumsum(0)
    first = torch.cat([end.new_zeros(1), end[:-1]])
    start = torch.maximum(first, end - 2)
    rows, numbers = older_items(items, 9, first, start, end)
    expected = [
        (row, item) for row, history in enumerate(histories) for item in sorted({*history[:-2]} - {*history[-2:]})
    ]
    assert list(zip(rows.tolist(), numbers.tolist(), strict=True)) == expected == [(0, 5), (0, 9), (2, 8)]
    assert [len(part) for part in older_items(items, 9, first, first, end)] == [0, 0]


def test_older_items_count_as_the_oldest_that_is_read():
    bias = RepeatBias(5)
    bias.by_age.data = torch.arange(5.0)
    assert bias.older.tolist() == 4


def test_the_bias_goes_by_age_and_begins_at_zero():
    items, packing = packed()
    seen, bias = seen_items(items, packing, packing.last), RepeatBias(5)
    assert bias(seen).tolist() == [0.0] * 6
    bias.by_age.data = torch.arange(5.0)
    assert bias(seen).tolist() == seen.ages.tolist()
    bias(seen).sum().backward()
    assert bias.by_age.grad.tolist() == [3, 2, 1, 0, 0]


def test_blocks_of_histories_find_the_same(monkeypatch):
    items, packing = packed()
    queries = torch.tensor([0, 2, 3, 5, 8])
    whole = seen_items(items, packing, queries)
    monkeypatch.setattr(module, "PAIRS", 1)
    parts = seen_items(items, packing, queries)
    for name in ("rows", "items", "ages"):
        assert torch.equal(getattr(parts, name), getattr(whole, name))
