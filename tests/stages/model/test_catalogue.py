import pytest
import torch

from stages.artifacts.errors import DataError
from stages.artifacts.names import CODES, EMBEDDINGS, ITEMS
from stages.model.catalogue import read_catalogue


@pytest.mark.parametrize(
    ("files", "texts", "codes"),
    [
        ((ITEMS,), False, False),
        ((EMBEDDINGS,), True, False),
        ((CODES,), False, True),
        ((EMBEDDINGS, CODES), True, True),
    ],
)
def test_only_what_a_model_reads_is_there(structured, files, texts, codes):
    for name in {ITEMS, EMBEDDINGS, CODES} - set(files):
        (structured / name).unlink()
    found = read_catalogue(structured, files, 8)
    assert found.items == 60
    assert (found.texts is not None, found.present is not None, bool(found.views), bool(found.whitening)) == (
        texts,
    ) * 4
    assert (found.codes is not None, found.codebook_size > 0) == (codes,) * 2
    if texts:
        assert found.texts.shape == (60, 2, 8)
        assert not found.texts[~found.present].any()
    if codes:
        assert found.codes.shape == (60, 4)


def test_a_saved_whitening_gives_the_same_texts(structured):
    fitted = read_catalogue(structured, (EMBEDDINGS,), 8)
    again = read_catalogue(structured, (EMBEDDINGS,), 8, fitted.whitening)
    assert torch.equal(fitted.texts, again.texts)
    shorter = {**fitted.whitening, "title.mean": fitted.whitening["title.mean"][:-1]}
    with pytest.raises(DataError, match=r"view 'title' has dimension 12, the model was trained on 11"):
        read_catalogue(structured, (EMBEDDINGS,), 8, shorter)
    with pytest.raises(DataError, match=r"not trained on view 'title', but on brand"):
        read_catalogue(structured, (EMBEDDINGS,), 8, {k: v for k, v in fitted.whitening.items() if "brand" in k})
