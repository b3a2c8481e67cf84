from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.artifacts.names import EMBEDDINGS
from stages.frame.run import StageRun
from stages.quantize.coding import CatalogueCoder
from stages.quantize.file import SavedQuantizer
from stages.quantize.options import QuantizeOptions

MakeEmbeddings = Callable[..., Path]
OPTIONS = QuantizeOptions(levels=2, codebook_size=4, text_dim=6)


def coder(workdir: Path, *args: Any, **keywords: Any) -> tuple[CatalogueCoder, StageRun]:
    run = StageRun("quantize", OPTIONS, workdir, None)
    return CatalogueCoder(workdir / EMBEDDINGS, OPTIONS, run, *args, **keywords), run


def test_codes_of_the_views_stand_side_by_side(make_embeddings: MakeEmbeddings, vectors) -> None:
    title, brand = vectors(200, 8), vectors(200, 7, seed=1)
    brand[:20] = np.nan
    workdir = make_embeddings({"title": title, "brand": brand})
    both, run = coder(workdir)
    both.add("title", 8)
    both.add("brand", 7)
    codes = both.codes()
    assert (codes.shape, codes.dtype) == ((200, 4), np.uint16)
    quantizer = both.quantizers["title"]
    whitened = quantizer.whitening.apply(title)
    np.testing.assert_array_equal(codes[:, :2], quantizer.encode(whitened))
    quantizer = both.quantizers["brand"]
    np.testing.assert_array_equal(codes[20:, 2:], quantizer.encode(quantizer.whitening.apply(brand[20:])))
    mean = quantizer.encode(np.zeros((1, 6), np.float32))  # of the view, where an item lacks it
    np.testing.assert_array_equal(codes[:20, 2:], np.repeat(mean, 20, axis=0))

    facts = both.facts()
    assert (facts["items"], facts["codes_per_item"], facts["unique_ceiling"]) == (200, 4, 1.0)
    assert facts["distinct_tuples"] == len(np.unique(codes, axis=0))
    assert [(each["view"], each["level"]) for each in facts["positions"]] == [
        (view, level) for view in ("title", "brand") for level in (1, 2)
    ]
    told = facts["views"][0]
    expected = both.quantizers["title"].relative_error(whitened, codes[:, :2])
    assert told["relative_error"] == pytest.approx(expected, abs=1e-6)
    assert (told["items"], facts["views"][1]["items"]) == (200, 180)
    assert "kept_codebooks" not in facts
    assert run.warnings == []


def test_saved_codebooks_code_and_are_judged_by_the_new_items(make_embeddings: MakeEmbeddings, vectors) -> None:
    first, run = coder(make_embeddings({"title": vectors(200, 8)}))
    first.add("title", 8)
    strange = np.random.default_rng(5).normal(scale=9.0, size=(50, 8)).astype(np.float32)
    for error, warned in ((None, 0), (0.2, 1), (1e9, 0)):
        saved = SavedQuantizer(first.quantizers, {}, 200, {"title": error})
        workdir = make_embeddings({"title": np.concatenate([vectors(200, 8), strange])})
        grown, run = coder(workdir, saved, grown=True)
        grown.add("title", 8)
        np.testing.assert_array_equal(grown.codes()[:200], first.codes())
        facts = grown.facts()
        [kept] = facts["kept_codebooks"]
        assert (facts["fitted_items"], kept["new_items"], kept["held_out_error"]) == (200, 50, error)
        assert kept["error_of_old"] == first.facts()["views"][0]["relative_error"]
        assert len(run.warnings) == warned
    workdir = make_embeddings({"title": vectors(200, 8)})
    unjudged, _ = coder(workdir, SavedQuantizer(first.quantizers, {}, 200, {"title": 0.2}))
    unjudged.add("title", 8)
    assert "kept_codebooks" not in unjudged.facts()


def test_few_distinct_vectors_need_no_fit(make_embeddings: MakeEmbeddings, vectors) -> None:
    same = np.repeat(vectors(3, 8), 20, axis=0)
    exact, run = coder(make_embeddings({"title": same}))
    exact.add("title", 8)
    exact.tell_sizes()
    assert run.warnings == []
    assert exact.codebook_size == exact.facts()["codebook_size"] == 3
    assert len(np.unique(exact.codes(), axis=0)) == 3
    assert exact.facts()["views"][0]["relative_error"] < 1e-6


def test_little_to_fit_to_is_warned_of(make_embeddings: MakeEmbeddings, vectors) -> None:
    flat = np.repeat(vectors(30, 3), 2, axis=0) @ np.eye(3, 8, dtype=np.float32)
    poor, run = coder(make_embeddings({"title": flat}))
    poor.add("title", 8)
    poor.tell_sizes()
    narrow, wanted = run.warnings
    assert "few items to fit 4 centroids to, where 156 are wanted: 'title' (60)" in wanted
    assert "whitened to 2 dimensions instead of 6" in narrow
