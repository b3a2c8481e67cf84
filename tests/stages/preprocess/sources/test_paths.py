"""What is named on the command line, and what a data set on disk names itself: no path leads out of the folder."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from events import EVENTS, EXPECTED, TIME, table, write_stream
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain_tables import COLUMNS

from stages.artifacts.errors import DataError, UsageError
from stages.preprocess.sources.paths import PassedOver, find_files, items_beside


def found(*named: Path, workdir: Path) -> list[Path]:
    return find_files(named, "log", workdir, 10**6)


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read x+: File name too long"):
        found(Path("x" * 300), workdir=tmp_path)


@pytest.mark.parametrize(
    "name", ["../outside.arrow", "/etc/hostname", "..", ".", "", "a/b.arrow", "a\0b", None, 5, ["a"]]
)
def test_a_data_set_names_its_own_files_alone(tmp_path: Path, name: Any) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (tmp_path / "outside.arrow").write_bytes(b"secret")
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}))
    with pytest.raises(DataError, match="is not the name of something in this folder"):
        found(folder, workdir=tmp_path)
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": [name]}))
    with pytest.raises(DataError, match="is not the name of something in this folder"):
        found(folder, workdir=tmp_path)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.sampled_from(["full", "a.arrow"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["_data_files", "filename", "splits", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(state=_JSON, splits=st.none() | _JSON)
def test_no_description_of_a_data_set_leads_to_a_traceback(tmp_path: Path, state: Any, splits: Any) -> None:
    (tmp_path / "full").mkdir(exist_ok=True)
    for folder in (tmp_path, tmp_path / "full"):
        (folder / "state.json").write_text(json.dumps(state))
    (tmp_path / "dataset_dict.json").unlink(missing_ok=True)
    if splits is not None:
        (tmp_path / "dataset_dict.json").write_text(json.dumps(splits))
    try:
        files = found(tmp_path, workdir=tmp_path)
    except DataError:
        return
    assert all(path.parent in (tmp_path, tmp_path / "full") for path in files)


Write = Callable[..., Path]
Run = Callable[..., Any]


def save_to_disk(folder: Path, frames: list[pl.DataFrame]) -> Path:
    """What ``datasets.Dataset.save_to_disk`` writes: Arrow streams, the order of which ``state.json`` tells."""
    names = [f"data-{n:05}-of-{len(frames):05}.arrow" for n in range(len(frames))]
    for name, frame in zip(names, frames, strict=True):
        write_stream(folder / name, frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))
    (folder / "dataset_info.json").write_text("{}")
    return folder


def test_hugging_face_folder(run: Run, tmp_path: Path) -> None:
    log = save_to_disk(tmp_path / "log", [table()[:3], table()[3:]])
    texts = pl.DataFrame({"what": ["B", "A"], "name": ["b", "a"], "tags": [[], ["x", "y"]]})
    made = run(log, items=[save_to_disk(tmp_path / "texts", [texts])], **COLUMNS)
    assert made.users == EXPECTED
    assert made.items["A"] == {"name": "a", "tags": "x, y"}


def test_hugging_face_folder_of_splits(run: Run, tmp_path: Path) -> None:
    both = tmp_path / "both"
    for split in ("full", "other"):
        save_to_disk(both / split, [table()])
    (both / "dataset_dict.json").write_text('{"splits": ["full", "other"]}')
    with pytest.raises(DataError, match=r"holds the splits full, other.*\nName the folder of one.*both/full"):
        run(both, **COLUMNS)
    (both / "dataset_dict.json").write_text('{"splits": ["full"]}')
    assert run(both, **COLUMNS).users == EXPECTED
    (both / "full" / "state.json").write_text("{}")
    with pytest.raises(DataError, match="names no data files"):
        run(both, **COLUMNS)


def test_folders_and_patterns(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    header = "user_id,item_id,timestamp\n"
    for n, (user, item, time) in enumerate(EVENTS):
        data = f"{header}{user},{item},{time}\n".encode()
        name = f"part-{n}.csv" + (".gz" if n % 2 else "")
        (folder / name).write_bytes(gzip.compress(data) if n % 2 else data)
    (folder / "_SUCCESS").touch()
    (folder / ".hidden.csv").write_text("x")
    (folder / "README.md").write_text("about")
    assert run(folder, k_core=0).users == EXPECTED
    assert run(folder / "part-*.csv*", k_core=0).users == EXPECTED
    assert run(folder / "part-[01].*", folder / "part-3.csv.gz", k_core=0).users == {"u": ["A", "B", "A"]}


def test_metadata_beside_the_log(run: Run, write: Write) -> None:
    review = {"user_id": "u", "parent_asin": "A", "timestamp": TIME, "rating": 5.0}
    folder = write("Tools.jsonl", [review]).parent
    write("meta_Tools.jsonl", [{"parent_asin": "A", "title": "saw", "store": "s"}])
    made = run(folder, items=[folder], k_core=0, views=["title"])
    assert (made.users, made.items) == ({"u": ["A"]}, {"A": {"title": "saw"}})


def test_a_file_named_twice_is_refused(run: Run, write: Write) -> None:
    log = write("log.csv", ["user_id,item_id", "u,a"])
    with pytest.raises(UsageError, match=r"log\.csv is named twice"):
        run(log, log.parent / "*.csv", k_core=0)


def test_what_describes_the_items_is_known_by_its_name(tmp_path: Path) -> None:
    folder, below = tmp_path / "shop", tmp_path / "shop" / "artifacts"
    below.mkdir(parents=True)
    for name in ("log.csv", "meta_a.jsonl.gz", "meta_b.jsonl", "meta_b.jsonl.gz", ".meta_c.jsonl", "catalog.csv"):
        (folder / name).write_text("")
    (below / "items.parquet").write_text("")
    passed_over = PassedOver()
    passed_over.note(str(folder), ["meta_a.jsonl.gz", "notes.md"], "describes the items")
    passed_over.note("elsewhere", ["meta_a.jsonl.gz"], "another folder")
    assert items_beside([folder], passed_over) == [folder / "meta_a.jsonl.gz", folder / "meta_b.jsonl"]
    assert passed_over.messages == [
        f"{folder}: passed over notes.md: describes the items",
        "elsewhere: passed over meta_a.jsonl.gz: another folder",
    ]
    assert items_beside([folder / "log.csv", below.parent / "nothing", "s3://bucket/shop"], passed_over) == []


@pytest.mark.parametrize(
    "name", ["meta.jsonl.gz", "products.csv", "items.parquet", "metadata.tsv.gz", "catalogue.jsonl"]
)
def test_metadata_is_no_part_of_the_log_beside_it(tmp_path: Path, name: str) -> None:
    for file in (name, "interactions.csv.gz"):
        (tmp_path / file).write_text("")
    assert [each.path.name for each in found(tmp_path, workdir=tmp_path / "work")] == ["interactions.csv.gz"]
    assert items_beside([tmp_path], PassedOver()) == [tmp_path / name]
