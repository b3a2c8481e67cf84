from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stages.artifacts import names
from stages.artifacts.errors import DataError, UsageError
from stages.embed import texts as module
from stages.embed.text_file import TextFile
from stages.embed.texts import choose_views, collect


def test_equal_texts_are_one_across_views_and_blank_ones_none(make_items: Callable[..., Path]) -> None:
    workdir = make_items({"title": ["saw", None, "nail", "saw"], "brand": ["nail", "", " \t\n\u3000", "oak"]})
    with TextFile(workdir / ".cocorec") as text_file:
        found = collect(workdir / names.ITEMS, ["brand", "title"], text_file)
        texts = found.take(np.arange(len(found)))
    assert texts == ["nail", "oak", "saw"]
    assert [texts[i] if i >= 0 else None for i in found.rows["title"]] == ["saw", None, "nail", "saw"]
    assert [texts[i] if i >= 0 else None for i in found.rows["brand"]] == ["nail", None, None, "oak"]


def test_equal_texts_are_one_across_pieces_of_the_file(
    make_items: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ROWS", 7)
    rng = np.random.default_rng(0)
    views = {name: [f"häuser {n}" if n else None for n in rng.integers(25, size=60)] for name in ("title", "brand")}
    workdir = make_items(views)
    with TextFile(workdir / ".cocorec") as text_file:
        found = collect(workdir / names.ITEMS, list(views), text_file)
        texts = found.take(np.arange(len(found)))
        assert found.take(np.array([3, 0, 3])) == [texts[3], texts[0], texts[3]]
    assert texts == [text for text in dict.fromkeys([*views["title"], *views["brand"]]) if text]
    assert len(np.unique(found.digests, axis=0)) == len(texts)
    for view, column in views.items():
        assert [texts[i] if i >= 0 else None for i in found.rows[view]] == column


def test_texts_leave_nothing_in_the_work_directory(make_items: Callable[..., Path]) -> None:
    workdir = make_items({"title": ["a", "b"]})
    with TextFile(workdir / ".cocorec") as text_file:
        collect(workdir / names.ITEMS, ["title"], text_file)
        assert not list((workdir / ".cocorec").glob("tmp*"))


def test_views_come_in_the_order_asked(make_items: Callable[..., Path]) -> None:
    path = make_items({"title": ["a"], "brand": ["b"], "store": ["c"]}) / names.ITEMS
    assert choose_views(path, ["store", "title"]) == ["store", "title"]
    assert choose_views(path, None) == ["title", "brand", "store"]


def test_an_unknown_view_is_refused_with_those_there_are(make_items: Callable[..., Path]) -> None:
    path = make_items({"title": ["a"], "brand": ["b"]}) / names.ITEMS
    with pytest.raises(UsageError, match=r"no view 'titel'\n.*title, brand.*Did you mean 'title'"):
        choose_views(path, ["brand", "titel"])
    with pytest.raises(UsageError, match="named twice"):
        choose_views(path, ["brand", "brand"])
    with pytest.raises(UsageError, match="no view to embed"):
        choose_views(path, [])


def test_no_items_or_no_file(make_items: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no items"):
        collect(make_items({"title": []}) / names.ITEMS, ["title"], TextFile(tmp_path))
    with pytest.raises(DataError, match="cocorec preprocess"):
        choose_views(tmp_path / names.ITEMS, None)
