"""Views under names of their own, views put together, and items that nobody has taken."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.artifacts.errors import DataError, UsageError
from stages.preprocess.items.views import read_template, select_views

Write = Callable[..., Path]
Run = Callable[..., Any]


@pytest.fixture
def log(write: Write) -> Path:
    return write("log.csv", ["user_id,item_id,timestamp", *(f"u,{item},{n}" for n, item in enumerate("ADBC"))])


TEXTS = [
    {"item_id": "A", "title": "Saw &amp; blade", "maker": "Acme", "tags": ["steel", "black"]},
    {"item_id": "B", "title": "Axe", "maker": " ", "tags": []},
    {"item_id": "C", "title": None, "maker": "Best"},
    {"item_id": "E", "title": "Cold", "maker": "Nobody", "tags": ["new"]},
    {"item_id": "AA", "title": "Colder"},
]


@pytest.fixture
def texts(write: Write) -> Path:
    return write("texts.jsonl", TEXTS)


def test_a_view_may_have_another_name(run: Run, log: Path, texts: Path) -> None:
    made = run(log, items=[texts], views=["brand=maker", "title"], k_core=0)
    assert list(made.items["A"].items()) == [("brand", "Acme"), ("title", "Saw & blade")]
    assert made.facts["views"] == {"brand": 0.5, "title": 0.5}


def test_a_column_with_a_reserved_name_can_be_kept_under_another(run: Run, log: Path, write: Write) -> None:
    texts = write("t.jsonl", [{"item_id": "A", "item": "saw"}])
    assert run(log, items=[texts], views=["name=item"], k_core=0).items["A"] == {"name": "saw"}
    with pytest.raises(UsageError, match="cannot be called 'item'"):
        run(log, items=[write("u.jsonl", [{"item_id": "A", "name": "saw"}])], views=["item=name"], k_core=0)


def test_templates(run: Run, log: Path, texts: Path) -> None:
    templates = [
        "strict=title: {title} by {maker}",
        "text=title: {title}[ by {maker}][, of {tags}]",
        "any=[{title}][{maker}]",
    ]
    made = run(log, items=[texts], view_template=templates, k_core=0)
    assert list(made.items["A"]) == ["title", "maker", "tags", "strict", "text", "any"]
    built = {item: (row["strict"], row["text"], row["any"]) for item, row in made.items.items()}
    assert built == {
        "A": ("title: Saw & blade by Acme", "title: Saw & blade by Acme, of steel, black", "Saw & bladeAcme"),
        "B": (None, "title: Axe", "Axe"),
        "C": (None, None, "Best"),
        "D": (None, None, None),  # without metadata
    }


def test_templates_among_the_views(run: Run, log: Path, texts: Path) -> None:
    templates = ["text={title}", "more={maker}"]
    assert list(run(log, items=[texts], view_template=templates, views=["text"], k_core=0).items["A"]) == [
        "text",
        "more",
    ]
    made = run(log, items=[texts], view_template=templates, views=["more", "tags", "text"], k_core=0)
    assert list(made.items["A"]) == ["more", "tags", "text"]
    replaced = run(log, items=[texts], view_template=["title=A {title}"], k_core=0).items["A"]
    assert replaced == {"maker": "Acme", "tags": "steel, black", "title": "A Saw & blade"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"view_template": ["{title}"]}, "does not begin with a name"),
        ({"view_template": ["={title}"]}, "does not begin with a name"),
        ({"view_template": ["a=title"]}, "names no field"),
        ({"view_template": ["a={title"]}, r"has a \'{\' that pairs with nothing"),
        ({"view_template": ["a={title}[x"]}, r"has a \'\[\' that pairs with nothing"),
        ({"view_template": ["a={title}]"]}, r"has a \'\]\' that pairs with nothing"),
        ({"view_template": ["a=[[x[{title}[y]]"]}, r"that pairs with nothing"),
        ({"view_template": ["a={titel}"]}, r"there is no view \'titel\'[\s\S]*title, maker"),
        ({"view_template": ["a={title}", "a={maker}"]}, "two templates one name"),
        ({"view_template": ["item_id={title}"]}, "cannot be called 'item_id'"),
        ({"views": ["a=title", "a=maker"]}, "names a view twice"),
        ({"views": ["a="]}, "is not NAME=COLUMN"),
    ],
    ids=str,
)
def test_views_that_do_not_fit(run: Run, log: Path, texts: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run(log, items=[texts], k_core=0, **options)


@pytest.mark.parametrize("option", ["view_template", "keep_cold_items"])
def test_options_that_need_metadata(run: Run, log: Path, option: str) -> None:
    with pytest.raises(UsageError, match=f"--{option.replace('_', '-')} needs item metadata"):
        run(log, k_core=0, **{option: ["a={b}"] if option == "view_template" else True})


def test_brackets_and_braces_may_stand_for_themselves() -> None:
    frame = pl.DataFrame({"a b": ["x", None]})
    template = read_template("t={{[[{a b}]]}}[ {a b}]")
    assert frame.select(template.expression()).to_series().to_list() == ["{[x]} x", None]


@given(st.text(alphabet="a {}[]=", max_size=12))
def test_no_template_leads_to_a_traceback(text: str) -> None:
    try:
        selection = select_views(None, [text])
    except UsageError:
        return
    columns = {field: ["x", None] for field in selection.fields}
    made = pl.DataFrame(columns).select(selection.named([]).select())
    assert "x" in made.to_series(0)[0]
    assert made.to_series(0)[1] is None


def test_cold_items(run: Run, log: Path, texts: Path) -> None:
    plain = run(log, items=[texts], k_core=0)
    made = run(log, items=[texts], k_core=0, keep_cold_items=True)
    assert list(made.items) == ["A", "AA", "B", "C", "D", "E"]  # in the order of all ids, so numbers shift
    assert made.items["E"] == {"title": "Cold", "maker": "Nobody", "tags": "new"}
    assert made.users == plain.users == {"u": list("ADBC")}
    facts = made.facts
    assert (facts["items"], facts["cold_items"], facts["items_without_metadata"]) == (6, 2, 1)
    assert (facts["metadata_rows_of_other_items"], plain.facts["metadata_rows_of_other_items"]) == (0, 2)
    assert "cold_items" not in plain.facts


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_cold_rows_without_id_or_again(run: Run, log: Path, write: Write, suffix: str) -> None:
    rows = [("A", "a"), ("", "nameless"), ("E", "first"), ("E", "second")]
    if suffix == "csv":
        texts = write("t.csv", ["item_id,name", *(f"{item},{name}" for item, name in rows)])
    else:
        texts = write("t.jsonl", [{"item_id": item or None, "name": name} for item, name in rows])
    made = run(log, items=[texts], k_core=0, keep_cold_items=True)
    assert list(made.items) == ["A", "B", "C", "D", "E"]
    assert made.items["E"] == {"name": "first"}
    assert (made.facts["metadata_rows_of_other_items"], made.facts["metadata_rows_repeated"]) == (1, 1)


def test_cold_items_of_another_shop_are_refused(run: Run, log: Path, write: Write) -> None:
    texts = write("t.csv", ["item_id,name", "Q,x"])
    with pytest.raises(DataError, match="none of the 1 rows describes an item of the log"):
        run(log, items=[texts], k_core=0, keep_cold_items=True)
