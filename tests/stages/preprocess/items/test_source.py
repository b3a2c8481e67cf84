"""The choice of the item metadata's format, the column of its ids, and its views."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from recording import Recorder

from stages.artifacts.errors import DataError, UsageError
from stages.frame.reporter import Reporter
from stages.preprocess.items.item_table import Wanted
from stages.preprocess.items.source import ItemSource, find_items
from stages.preprocess.items.views import select_views
from stages.preprocess.options import PreprocessOptions
from stages.preprocess.sources.bad_rows import BadRows
from stages.preprocess.sources.finder import Finder
from stages.preprocess.sources.preparation import Preparation

Write = Callable[..., Path]
Find = Callable[..., ItemSource]
WANTED = Wanted(pl.Series(["A", "B"]))


@pytest.fixture
def preparation(tmp_path: Path) -> Iterator[Preparation]:
    made = Preparation(tmp_path / "work")
    yield made
    made.close()


@pytest.fixture
def find(tmp_path: Path, preparation: Preparation) -> Find:
    def found(*items: Path, column: str = "what", **options: Any) -> ItemSource:
        asked = PreprocessOptions((Path("log.csv"),), items=items, **options)
        return find_items(asked, column, Finder(tmp_path / "work", 0, preparation))

    return found


@pytest.fixture
def table(write: Write) -> Path:
    return write("items.csv", ["item_id,name,brand,what", "A,Saw,Acme,x", "B,Nail,,y", "Z,Glue,Stick,z"])


def test_without_metadata_there_is_nothing_to_read(find: Find, preparation: Preparation) -> None:
    source, bad_rows, listener = find(), BadRows(0, preparation), Recorder()
    assert source.recorded() == {"items": [], "items_format": None, "items_id_column": None}
    views = select_views(None, [])
    assert source.choose_views(views, False, bad_rows) == (views, [])
    assert source.read(["name"], WANTED, bad_rows, Reporter()) is None
    source.announce(listener)
    assert listener.said == []


@pytest.mark.parametrize(
    ("option", "value"), [("views", ("name",)), ("view_template", ("t={name}",)), ("keep_cold_items", True)]
)
def test_options_of_items_need_metadata(find: Find, option: str, value: object) -> None:
    name = option.replace("_", "-")
    with pytest.raises(UsageError, match=rf"^--{name} needs item metadata\nGive the metadata with --items\."):
        find(**{option: value})


def test_the_column_of_the_ids(find: Find, table: Path) -> None:
    assert find(table).id_column == "what"  # as in the log
    assert find(table, column="who").id_column == "item_id"
    assert find(table, items_id_column="brand").id_column == "brand"
    with pytest.raises(DataError, match=r"items\.csv: there is no column 'sku'[\s\S]*--items-id-column"):
        find(table, items_id_column="sku")


def test_an_id_that_comes_late_in_records_is_found(find: Find, write: Write) -> None:
    rows = [{"name": "x"} for _ in range(300)] + [{"sku": "A", "name": "late"}]
    assert find(write("items.jsonl", rows), items_id_column="sku").id_column == "sku"


def test_views_and_the_columns_that_they_need(find: Find, table: Path, preparation: Preparation) -> None:
    source, bad_rows, listener = find(table, column="item_id"), BadRows(0, preparation), Recorder()
    source.announce(listener)
    assert listener.said == [f"items.csv: read as table ({source.reader and source.reader.summary})"]
    named, columns = source.choose_views(select_views(None, []), False, bad_rows)
    assert (named.picked, columns) == (tuple((name, name) for name in columns), ["name", "brand", "what"])
    views = select_views(["title=name"], ["text={what} {name}"])
    named, columns = source.choose_views(views, True, bad_rows)
    assert named.picked == (("title", "name"), ("text", "text"))
    assert columns == ["name", "what"]
    with pytest.raises(UsageError, match="there is no view 'colour'"):
        source.choose_views(select_views(["colour"], []), False, bad_rows)
    with pytest.raises(UsageError, match=r"^--keep-cold-items needs a view"):
        source.choose_views(select_views([], []), True, bad_rows)


def test_texts_of_the_wanted_items(find: Find, table: Path, preparation: Preparation) -> None:
    source, bad_rows = find(table, column="item_id"), BadRows(0, preparation)
    found = source.read(["brand", "name"], WANTED, bad_rows, Reporter())
    assert found is not None
    assert found.frame.rows() == [("A", "Acme", "Saw"), ("B", None, "Nail")]
    assert (found.views, found.unused) == (["brand", "name"], 1)
    assert source.read([], WANTED, bad_rows, Reporter()) is None


def test_metadata_in_the_folder_of_the_log_is_found(run: Callable[..., Any], write: Write, tmp_path: Path) -> None:
    header = "user_id,item_id,timestamp"
    rows = [f"u{n},{item},{time}" for n in range(3) for time, item in enumerate("ABC")]
    log = write("log.csv", [header, *rows])
    write("meta_shop.jsonl.gz", [{"item_id": item, "title": f"Item {item}"} for item in "ABC"])
    write("notes.md", ["what this is"])
    made = run(log.parent, k_core=0)
    assert made.items["A"] == {"title": "Item A"}
    assert made.facts["items_format"] == "table"
    assert made.facts["passed_over"] == [
        f"{log.parent}: passed over notes.md: no known kind of file; name it to have it read"
    ]
    assert run(log.parent, k_core=0).facts == made.facts  # nothing to do
    alone = run(log, k_core=0, workdir=tmp_path / "alone")
    assert alone.items["A"] == {}  # the log alone was named
    write("meta_shop.jsonl.gz", [{"item_id": "Z", "title": "Another shop's"}])
    with pytest.raises(
        DataError, match=r"none of the 1 rows describes .*\n.* found in the folder of the log; name the files"
    ):
        run(log.parent, k_core=0)
