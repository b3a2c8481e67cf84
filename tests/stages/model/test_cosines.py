import numpy as np
import pytest
import torch
from models import config_of
from torch.nn import functional as F

from stages.artifacts.errors import UsageError
from stages.model.catalogue import Catalogue
from stages.model.cosines import Cosines
from stages.model.packing import pack
from stages.model.sasrec import SASRec


@pytest.mark.parametrize("biased", [True, False])
def test_scores_are_cosines_and_what_repeats_add(biased):
    torch.manual_seed(0)
    model = SASRec.build(config_of("sasrec", 30, repeat_bias=biased), Catalogue(30)).eval()
    if biased:
        torch.nn.init.normal_(model.repeats.by_age)
    rng = np.random.default_rng(0)
    lengths = torch.tensor([1, 5, 20, 3])
    items, ends = torch.from_numpy(rng.integers(1, 31, 29)), lengths.cumsum(0)
    histories, packing = pack(items, ends - lengths, ends)
    cosines = Cosines(model)
    with torch.inference_mode():
        users, scores = cosines.users(histories, packing), cosines(histories, packing)(slice(0, 4))
        alone = model.read(model.item_tables()[0], histories, packing)
        expected = F.cosine_similarity(alone[:, None], model.item_tables()[1][None, 1:], dim=-1)
        for row, (start, end) in enumerate(zip(ends - lengths, ends, strict=True)):
            for age, item in enumerate(reversed(items[start:end].tolist())):
                first = age == items[start:end].tolist()[::-1].index(item)
                expected[row, item - 1] += float(model.repeats.by_age[age]) if biased and first else 0
    torch.testing.assert_close(users.norm(dim=1), torch.ones(4))
    torch.testing.assert_close(scores[:, 1:], expected, atol=1e-5, rtol=1e-5)
    assert (cosines.shifts(histories, packing) is None) == (not biased)


def test_items_that_training_never_saw_are_boosted_and_no_others():
    torch.manual_seed(0)
    model = SASRec.build(config_of("sasrec", 30, cooccurrence_bias=True), Catalogue(30)).eval()
    model.pairs.occurrences[1:28] = 1.0
    before = Cosines(model).of_items
    model.boost_new_items(0.25)
    with torch.no_grad():
        added = Cosines(model).of_items - before
    assert added[1:28].tolist() == [0] * 27
    assert added[28:].tolist() == [0.25] * 3


def test_a_model_that_does_not_know_what_is_new_cannot_boost_it():
    model = SASRec.build(config_of("sasrec", 30), Catalogue(30))
    model.boost_new_items(0.0)
    with pytest.raises(UsageError, match="--new-item-boost: the model sasrec does not know") as caught:
        model.boost_new_items(0.1)
    assert "--cooccurrence-bias" in caught.value.hint
