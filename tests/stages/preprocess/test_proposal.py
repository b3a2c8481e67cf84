from dataclasses import replace
from pathlib import Path

import pytest

from stages.artifacts.errors import DataError
from stages.artifacts.names import ITEMS
from stages.preprocess import PreprocessOptions, preprocess, propose


def test_a_known_format_needs_no_columns(write, reviews, tmp_path):
    found = propose(PreprocessOptions([reviews]), workdir=tmp_path / "work")
    assert (found.facts["format"], found.facts["rows_read"]) == ("amazon-2023", 10)
    assert found.options == {"inputs": [str(reviews)], "k_core": 2}  # of larger cores nothing is left
    assert found.cores[2] == {"users": 3, "items": 4, "interactions": 10}
    assert found.cores[5] == {"users": 0, "items": 0, "interactions": 0}
    assert found.views == ()


def test_a_published_split_is_left_as_it_is(publish, tmp_path):
    train = publish(["u,A,5.0,1,"], ["u,B,5.0,2,A"], ["u,C,5.0,3,A B"])
    found = propose(PreprocessOptions([train]), workdir=tmp_path / "work")
    assert (found.facts["published_split"], found.cores) == (True, {})
    assert "k_core" not in found.options


def test_what_the_user_says_is_kept(write, tmp_path):
    rows = [f"u{u},i{i},{i + 1},n{i}" for u in range(4) for i in range(4)]
    log = write("log.csv", ["user,item,stars,note", *rows])
    items = write("items.csv", ["item,name,text", *(f"i{i},Name {i},T {i}" for i in range(4))])
    options = PreprocessOptions([log], items=[items], item_column="note", items_id_column="item", k_core=0)
    with pytest.raises(DataError, match="none of the 4 rows describes an item"):
        propose(options, workdir=tmp_path / "work")
    found = propose(PreprocessOptions([log], items=[items], views=["text"], k_core=0), workdir=tmp_path / "work")
    assert (found.options["k_core"], found.views, found.rating) == (0, ("text",), "stars")


def test_a_catalogue_that_cannot_be_extended_is_refused(reviews, tmp_path):
    options = PreprocessOptions([reviews], k_core=0)
    preprocess(options, workdir=tmp_path / "w")
    propose(replace(options, extend=tmp_path / "w"), workdir=tmp_path / "new")
    content = bytearray((tmp_path / "w" / ITEMS).read_bytes())
    content[len(content) // 2] ^= 0xFF
    (tmp_path / "w" / ITEMS).write_bytes(content)
    for name, said in (("nothing", "does not exist"), ("w", "damaged")):
        with pytest.raises(DataError, match=said):
            propose(replace(options, extend=tmp_path / name), workdir=tmp_path / "new")


@pytest.mark.parametrize("name", ["ml-100k", "beauty-2014", "games-2018", "scientific"])
def test_real_data_sets(data_root: Path, tmp_path: Path, name: str) -> None:
    """The first thousands of rows of each; what is proposed is what preprocess takes."""
    import gzip
    import shutil

    folder = data_root / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there; set COCOREC_TEST_DATA")
    cut = tmp_path / name
    cut.mkdir()
    for path in folder.iterdir():
        if path.name.startswith("interactions"):
            with gzip.open(path, "rt") as file:
                (cut / "interactions.csv").write_text("".join(line for _, line in zip(range(3000), file, strict=False)))
        elif path.name == "ml-100k.inter":
            (cut / path.name).write_text("".join(path.open().readlines()[:3000]))
        elif "csv" not in path.name:
            shutil.copyfile(path, cut / path.name)
    found = propose(PreprocessOptions([cut]), workdir=tmp_path / "work")
    assert found.views
    made = preprocess(PreprocessOptions(**found.options), workdir=tmp_path / "work")
    assert made.facts["interactions"] > 0
    assert list(made.facts["views"]) == list(found.views)
