import pytest
import torch
from models import config_of

from stages.model.fusion import CodeFusion, Fused

ITEMS, CODES, SIZE, VIEWS, WIDTH, DIM = 6, 3, 4, 2, 5, 16


def build(**sizes) -> CodeFusion:
    torch.manual_seed(0)
    shape = {"codes": CODES, "codebook_size": SIZE, "views": VIEWS, "text_dim": WIDTH, "dim": DIM}
    return CodeFusion(config_of("cocorec", ITEMS, **{**shape, **sizes})).eval()


def catalogue():
    torch.manual_seed(1)
    present = torch.ones(ITEMS, VIEWS, dtype=torch.bool)
    present[1, 0] = present[2] = False
    return torch.randint(SIZE, (ITEMS, CODES)), torch.randn(ITEMS, VIEWS, WIDTH), present


def test_vectors_of_what_was_fused():
    torch.manual_seed(0)
    queries, codes = torch.randn(2, CODES, DIM), torch.randn(2, CODES, DIM)
    residual, gate = torch.randn(2, DIM), torch.randn(DIM)
    torch.testing.assert_close(Fused(queries, codes).history(), codes.mean(1))
    fused = Fused(queries, codes, residual, gate)
    torch.testing.assert_close(fused.history(), residual + gate * codes.mean(1))
    torch.testing.assert_close(fused.candidate(), fused.history() + queries.mean(1))


def test_codes_have_rows_by_position_after_that_of_the_mask():
    fusion, (codes, texts, present) = build(), catalogue()
    fusion.set_items(codes, texts, present)
    for item in range(ITEMS):
        assert fusion.rows[item + 1].tolist() == [1 + SIZE * j + int(codes[item, j]) for j in range(CODES)]
    assert fusion.rows[0].tolist() == [0] * CODES
    fused = fusion(torch.tensor([4, 1]))
    assert fused.queries.equal(fusion.table[fusion.rows[[4, 1]].long()])
    assert (fused.codes.shape, fused.residual.shape, fused.gate.shape) == ((2, CODES, DIM), (2, DIM), (DIM,))


def test_what_a_missing_view_holds_does_not_count():
    fusion, (codes, texts, present) = build(), catalogue()
    items = torch.arange(1, ITEMS + 1)
    fusion.set_items(codes, texts, present)
    before = fusion(items).history()
    fusion.set_items(codes, torch.where(present[..., None], texts, torch.tensor(99.0)), present)
    assert fusion(items).history().equal(before)
    assert before.isfinite().all()  # the third item has no view at all
    assert not fusion.all_present
    fusion.set_items(codes, texts, torch.ones_like(present))
    assert fusion.all_present
    changed = (fusion(items).history() != before).any(1)
    assert changed.tolist() == [False, True, True, False, False, False]


def test_rows_given_stand_in_for_the_items_own():
    fusion = build()
    fusion.set_items(*catalogue())
    items = torch.tensor([2, 5])
    own = fusion(items)
    assert fusion(items, fusion.rows[items]).codes.equal(own.codes)
    masked = fusion.rows[items].clone()
    masked[0, 1] = 0
    fused = fusion(items, masked)
    assert fused.queries[0, 1].equal(fusion.table[0])
    assert (fused.codes[0] != own.codes[0]).any(1).all()  # each code attends to all of its item
    torch.testing.assert_close(fused.codes[1], own.codes[1])


@pytest.mark.parametrize("learnable", [True, False])
def test_the_mask_is_trained_only_where_it_is_wanted(learnable):
    fusion = build(learnable_mask=learnable)
    fusion.set_items(*catalogue())
    fusion(torch.tensor([2]), torch.tensor([[0, 6, 0]])).history().square().sum().backward()
    rows = fusion.table.grad.abs().sum(1).nonzero()[:, 0].tolist()
    assert rows == ([0, 6] if learnable else [6])


def test_codes_alone():
    fusion, (codes, _, _) = build(views=0, text_dim=0), catalogue()
    fusion.set_items(codes, None, None)
    fused = fusion(torch.arange(1, ITEMS + 1))
    assert (fused.residual, fused.gate) == (None, None)
    torch.testing.assert_close(fused.history(), fused.codes.mean(1))
