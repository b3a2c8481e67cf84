import numpy as np
import pytest
import torch
from models import config_for, config_of

import stages.model.ranking as module
from stages.artifacts.errors import NotFiniteError
from stages.artifacts.sequences import Sequences
from stages.model.catalogue import Catalogue, read_catalogue
from stages.model.cocorec import CoCoRec
from stages.model.packing import Packing
from stages.model.popularity import Popularity
from stages.model.ranking import Spans, best_lists, queries, rank, target_ranks


@pytest.fixture
def model(structured):
    torch.manual_seed(0)
    catalogue = read_catalogue(structured, CoCoRec.reads, 8)
    model = CoCoRec.build(config_for("cocorec", catalogue), catalogue)
    torch.nn.init.normal_(model.repeats.by_age, std=0.3)
    return model.eval()


@pytest.fixture
def sequences():
    lengths = np.array([5, 1, 30, 4, 2])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    items = np.random.default_rng(0).integers(1, 61, offsets[-1]).astype(np.int32)
    # The second user has nothing to rank by, the fourth two test items.
    return Sequences(items, offsets, np.array([3, 0, 28, 2, 2]), np.array([4, 0, 29, 2, 2]))


def test_queries(sequences):
    test = queries(sequences, "test", 20)
    assert test.user.tolist() == [0, 2, 3, 3]
    assert test.target.tolist() == sequences.items[[4, 35, 38, 39]].tolist()
    assert test.start.tolist() == [0, 15, 36, 36]
    assert test.end.tolist() == [4, 35, 38, 38]
    assert test.first.tolist() == [0, 6, 36, 36]
    valid = queries(sequences, "valid", 20)
    assert valid.user.tolist() == [0, 2]
    assert valid.end.tolist() == [3, 34]


def _scores(model, items, wanted, row):
    """Cosines with items 1..N and the repeat bias, of one history on its own; what is older counts as the oldest."""
    history, candidates = model.item_tables()
    candidates = torch.nn.functional.normalize(candidates[1:], dim=-1)
    read = items[wanted.start[row] : wanted.end[row]]
    packing = Packing.of_lengths(torch.tensor([len(read)]))
    shifts = torch.zeros(len(candidates))
    shifts[items[wanted.first[row] : wanted.start[row]] - 1] = model.repeats.by_age[-1]
    for age, item in reversed(list(enumerate(reversed(read.tolist())))):  # a later place overrides an earlier one
        shifts[item - 1] = model.repeats.by_age[age]
    return candidates @ torch.nn.functional.normalize(model.read(history, read, packing), dim=-1)[0] + shifts


@pytest.mark.parametrize("budget", [1 << 23, 130])
def test_ranks_and_lists_equal_a_full_sort(model, sequences, monkeypatch, budget):
    monkeypatch.setattr(module, "_SCORES", budget)
    monkeypatch.setattr(module, "_AT_LEAST", 1)
    wanted = queries(sequences, "test", 20)
    items = torch.from_numpy(sequences.items.astype(np.int64))
    ranking = rank(model, items, wanted, top=7, batch_size=3)
    for row in range(len(ranking.ranks)):
        scores = _scores(model, items, wanted, row)
        order = torch.argsort(scores, descending=True).tolist()
        assert ranking.ranks[row] == 1 + order.index(wanted.target[row] - 1)
        assert ranking.items[row].tolist() == [number + 1 for number in order[:7]]
        np.testing.assert_allclose(ranking.scores[row], scores[order[:7]].detach(), atol=1e-6)
    assert (target_ranks(model, items, wanted) == ranking.ranks).all()


@pytest.mark.parametrize("budget", [1 << 23, 130])
def test_seen_items_are_left_out_of_ranks_and_lists(model, sequences, monkeypatch, budget):
    monkeypatch.setattr(module, "_SCORES", budget)
    monkeypatch.setattr(module, "_AT_LEAST", 1)
    # The target of the second query stands at the start of its history, far before the 20 items that are read.
    sequences.items[35] = sequences.items[6]
    wanted = queries(sequences, "test", 20)
    items = torch.from_numpy(sequences.items.astype(np.int64))
    ranking = rank(model, items, wanted, top=60, exclude_seen=True, both=True, batch_size=3)
    assert (ranking.ranks == rank(model, items, wanted).ranks).all()
    for row in range(len(ranking.ranks)):
        seen = set(sequences.items[wanted.first[row] : wanted.end[row]].tolist())
        order = (1 + torch.argsort(_scores(model, items, wanted, row), descending=True)).tolist()
        left = [number for number in order if number not in seen]
        target = int(wanted.target[row])
        assert ranking.ranks_without_seen[row] == (61 if target in seen else 1 + left.index(target))
        assert ranking.items[row].tolist() == left + [0] * (60 - len(left))
    assert ranking.ranks_without_seen[1] == 61
    assert rank(model, items, wanted).ranks_without_seen.size == 0


def test_ties_count_against_the_target(model, sequences):
    # Two items that are the same in every way tie: each ranks behind the other.
    encoder = model.encoder
    for buffer in (encoder.rows, encoder.texts, encoder.present):
        buffer[1:] = buffer[1].clone()
    torch.nn.init.zeros_(model.repeats.by_age)
    wanted = queries(sequences, "test", 20)
    items = torch.from_numpy(sequences.items.astype(np.int64))
    ranking = rank(model, items, wanted, top=5, both=True)
    assert ranking.ranks.tolist() == [60] * len(wanted.user)
    assert ranking.ties.tolist() == [59] * len(wanted.user)
    seen = [set(sequences.items[f:e].tolist()) for f, e in zip(wanted.first, wanted.end, strict=True)]
    left = [61 if int(target) in of else 60 - len(of) for target, of in zip(wanted.target, seen, strict=True)]
    assert ranking.ranks_without_seen.tolist() == left
    assert ranking.ties_without_seen.tolist() == [0 if ranks == 61 else ranks - 1 for ranks in left]
    assert ranking.items.tolist() == [[1, 2, 3, 4, 5]] * len(wanted.user)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("item", [1, 60])
def test_scores_that_are_not_finite_are_refused(sequences, value, item):
    class OneBadScore(Popularity):
        def scorer(self):
            def read(histories, packing):
                def tile(part):
                    scores = torch.rand(part.stop - part.start, 61)
                    scores[-1, item] = value
                    return scores

                return tile

            return read

    model = OneBadScore(config_of("popularity", 60))
    model.origin = "w/model/model.safetensors"
    items = torch.from_numpy(sequences.items.astype(np.int64))
    with pytest.raises(NotFiniteError, match=r"w/model/model.safetensors: scores are not finite\n.*--learning-rate"):
        rank(model, items, queries(sequences, "test", 20), top=3)


def test_an_item_without_any_view_still_has_a_vector(model):
    absent = torch.zeros(60, 2, dtype=torch.bool)
    model.set_items(Catalogue(60, torch.zeros(60, 4), 8, torch.zeros(60, 2, 8), absent))
    history, candidates = model.item_tables()
    assert torch.isfinite(history).all()
    assert torch.isfinite(candidates).all()


def test_a_missing_view_is_not_attended_to(model):
    # Whatever the vector of a missing view holds, the item is the same.
    torch.manual_seed(1)
    codes, texts = torch.randint(8, (60, 4)), torch.randn(60, 2, 8)
    present = torch.ones(60, 2, dtype=torch.bool)
    present[:30, 1] = False
    model.encoder.set_items(codes, texts, present)
    before = model.item_tables()[1].clone()
    texts[:, 1] += 10
    model.encoder.set_items(codes, texts, present)
    after = model.item_tables()[1]
    torch.testing.assert_close(after[1:31], before[1:31])
    assert (after[31:] - before[31:]).abs().max() > 1e-3


def test_autocast_does_not_coarsen_the_scores(model, sequences):
    """In bfloat16 many items would tie with the target, and be counted against it."""
    wanted = queries(sequences, "test", 20)
    items = torch.from_numpy(sequences.items.astype(np.int64))
    with torch.autocast("cpu", torch.bfloat16):
        scores = rank(model, items, wanted, top=60).scores
    assert scores.dtype == np.float32
    assert all(len(np.unique(row)) == 60 for row in scores)


@pytest.mark.parametrize("dim", [16, 64])
def test_a_history_alone_gets_the_bits_that_it_gets_among_others(structured, dim):
    torch.manual_seed(0)
    catalogue = read_catalogue(structured, CoCoRec.reads, 8)
    model = CoCoRec.build(config_for("cocorec", catalogue, dim=dim, heads=2, layers=2), catalogue).eval()
    rng = np.random.default_rng(1)
    lengths = rng.integers(1, model.config.max_history + 1, 60)
    ends = np.cumsum(lengths)
    items = torch.from_numpy(rng.integers(1, 61, ends[-1]))
    spans = Spans(ends - lengths, ends - lengths, ends)
    score = model.scorer()
    together, scores = best_lists(model, score, items, spans, top=10)
    for size in (1, 2, 3, 7):
        for low in range(0, 60, size):
            few = slice(low, low + size)
            found = best_lists(model, score, items, Spans(spans.first[few], spans.start[few], spans.end[few]), top=10)
            assert (found[0] == together[few]).all()
            assert found[1].tobytes() == scores[few].tobytes()


def test_single_histories_may_have_more_hidden(model):
    spans = Spans(np.array([0, 3]), np.array([0, 3]), np.array([3, 7]))
    items = torch.arange(1, 8)

    def hide_more(rows, scores):
        for at, row in enumerate(rows.tolist()):
            scores[at, : 56 if row else 1] = -torch.inf

    found, _ = best_lists(model, model.scorer(), items, spans, top=10, hide_more=hide_more)
    plain, _ = best_lists(model, model.scorer(), items, spans, top=10)
    assert found[0].tolist() == plain[0].tolist()
    assert sorted(found[1].tolist()) == [0] * 5 + [56, 57, 58, 59, 60]


def test_validation_reads_few_long_histories_at_a_time(model, sequences, monkeypatch):
    items, wanted = torch.from_numpy(sequences.items.astype(np.int64)), queries(sequences, "test", 20)
    whole, lengths = target_ranks(model, items, wanted), []
    scorer = model.scorer()
    monkeypatch.setattr(module, "_PLACES", 1)
    monkeypatch.setattr(module, "LEAST_ROWS", 2)
    monkeypatch.setattr(
        model, "scorer", lambda: lambda read, packing: lengths.append(packing.batch) or scorer(read, packing)
    )
    assert target_ranks(model, items, wanted).tolist() == whole.tolist()
    assert lengths == [2, 2]
