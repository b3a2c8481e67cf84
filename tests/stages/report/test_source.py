import shutil
from pathlib import Path

import pytest

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.names import ITEMS, METRICS, MODEL_CONFIG, SEQUENCES
from stages.report.source import Source


def test_titles_and_views(source: Source) -> None:
    assert (source.title, source.views) == ("title", ["title", "brand"])
    assert source.titles[59].as_py() == "title 5"
    brands = Source.open(source.workdir, "brand")
    assert brands.titles[59].as_py() == "brand 5"
    with pytest.raises(UsageError, match=r"--title 'colour' is no view of .*items.parquet\nChoose one of title, brand"):
        Source.open(source.workdir, "colour")


@pytest.mark.parametrize("name", [ITEMS, SEQUENCES])
def test_the_data_have_to_be_there(source: Source, tmp_path: Path, name: str) -> None:
    workdir = shutil.copytree(source.workdir, tmp_path / "w")
    (workdir / name).unlink()
    with pytest.raises(DataError, match=f"{name} does not exist\nRun `cocorec preprocess` first"):
        Source.open(workdir, None)


def test_an_evaluation_of_another_model_is_refused(source: Source, runs, tmp_path: Path) -> None:
    workdir = shutil.copytree(source.workdir, tmp_path / "w")
    shutil.copy(runs.popularity / MODEL_CONFIG, workdir / MODEL_CONFIG)
    with pytest.raises(DataError, match=rf"{METRICS} was made from another {MODEL_CONFIG}"):
        Source.open(workdir, None)


def test_items_without_any_text(structured: Path) -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(structured / ITEMS, columns=["item", "item_id"]).replace_schema_metadata()
    pq.write_table(table, structured / ITEMS)
    bare = Source.open(structured, None)
    assert (bare.title, bare.titles.null_count) == (None, 60)
