from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.artifacts.errors import DataError
from stages.artifacts.lineage import Lineage
from stages.quantize.codebooks import ViewQuantizer
from stages.quantize.file import load_quantizer, quantizer_fingerprint, save_quantizer
from stages.whitening import Whitening

TOLD = {"items": 40, "views": [{"view": "title", "held_out_error": 0.5}, {"view": "brand"}]}


def quantizer(seed: int = 0, *, method: str = "pq", d: int = 6, levels: int = 2, size: int = 3) -> ViewQuantizer:
    rng = np.random.default_rng(seed)
    width = 4 // (levels if method == "pq" else 1)
    numbers = [rng.standard_normal(shape).astype(np.float32) for shape in ((d,), (d, 4), (levels, size, width))]
    return ViewQuantizer(method, Whitening(numbers[0], numbers[1], np.zeros(0)), numbers[2])


def saved(path: Path, views: dict[str, ViewQuantizer], facts: dict[str, Any] | None = None, method: str = "pq") -> Path:
    save_quantizer(path, views, Lineage("quantize", {"method": method}, {}, TOLD if facts is None else facts))
    return path


@pytest.mark.parametrize("method", ["pq", "rq"])
def test_what_is_saved_is_loaded(tmp_path: Path, method: str) -> None:
    views = {"title": quantizer(0, method=method), "brand": quantizer(1, method=method, d=5, size=2)}
    found = load_quantizer(saved(tmp_path / "q.safetensors", views, method=method))
    assert list(found.views) == ["title", "brand"]
    for view, of in views.items():
        assert found.views[view].method == method
        np.testing.assert_array_equal(found.views[view].codebooks, of.codebooks)
        np.testing.assert_array_equal(found.views[view].whitening.mean, of.whitening.mean)
        np.testing.assert_array_equal(found.views[view].whitening.projection, of.whitening.projection)
    assert found.fitted_items == 40
    assert found.held_out == {"title": 0.5, "brand": None}
    assert found.fingerprint == quantizer_fingerprint(views)


def test_codebooks_that_were_kept_tell_what_they_were_fitted_to(tmp_path: Path) -> None:
    views = {"title": quantizer(0), "brand": quantizer(1)}
    assert load_quantizer(saved(tmp_path / "q.safetensors", views, {**TOLD, "fitted_items": 30})).fitted_items == 30


def test_the_fingerprint_is_of_tensors_method_and_order() -> None:
    one, two = quantizer(0), quantizer(1)
    other = replace(one, codebooks=one.codebooks + np.float32(1e-3))
    found = [
        quantizer_fingerprint(views)
        for views in ({"a": one, "b": two}, {"b": two, "a": one}, {"a": other, "b": two}, {"a": one}, {"c": one})
    ]
    found.append(quantizer_fingerprint({"a": replace(one, method="rq")}))
    assert len(set(found)) == len(found)
    assert quantizer_fingerprint({"a": quantizer(0), "b": quantizer(1)}) == found[0]


@pytest.mark.parametrize("facts", [{}, {"items": "many", "views": TOLD["views"]}, {"items": 40, "views": []}])
def test_a_file_that_does_not_say_how_it_was_made(tmp_path: Path, facts: dict[str, Any]) -> None:
    path = saved(tmp_path / "q.safetensors", {"title": quantizer(0), "brand": quantizer(1)}, facts)
    with pytest.raises(DataError, match="does not say how its codebooks were made\nGive --codebooks"):
        load_quantizer(path)


def test_tensors_that_do_not_fit_are_named(tmp_path: Path) -> None:
    path, good = tmp_path / "q.safetensors", quantizer(0)
    not_finite, doubles = good.codebooks.copy(), good.codebooks.astype(np.float64)
    not_finite[0, 0, 0] = np.nan
    for brand, said in (
        (replace(good, codebooks=not_finite), "'brand/codebooks' holds values that are not finite"),
        (replace(good, codebooks=doubles), r"'brand/codebooks' is float64\[2, 3, 2\]"),
        (replace(good, codebooks=good.codebooks[0]), r"'brand/codebooks' is float32\[3, 2\]"),
        (replace(good, codebooks=good.codebooks[:1]), "tensors of view 'brand' do not fit each other"),
        (replace(good, codebooks=good.codebooks[:, :1]), "tensors of view 'brand' do not fit each other"),
        (quantizer(1, levels=1), "the views' codebooks differ in levels"),
    ):
        with pytest.raises(DataError, match=said):
            load_quantizer(saved(path, {"title": good, "brand": brand}))
    with pytest.raises(DataError, match="brand"):
        load_quantizer(saved(path, {"title": good}))
