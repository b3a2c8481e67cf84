"""Downloads that go well, what is kept of them, and options that do not fit."""

import gzip
import hashlib
import json
from pathlib import Path

import pytest
from recording import Recorder

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.lock import locked
from stages.artifacts.names import DOWNLOAD
from stages.download import DownloadOptions, download, stage
from stages.download.options import BASE_URL

CATEGORY = "Video_Games"


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".cocorec")


def test_all_files_arrive_whole(games, fetch, here):
    result = fetch()
    names = [Path(path).name for path in games.files]
    assert games.paths == list(games.files)
    assert visible(here) == sorted([*names, DOWNLOAD])
    for path, content in games.files.items():
        assert (here / Path(path).name).read_bytes() == content
    assert not result.skipped
    assert [row["state"] for row in result.facts["files"]] == ["downloaded"] * 4
    assert result.facts["bytes"] == sum(map(len, games.files.values()))
    train, meta = here / f"{CATEGORY}.train.csv.gz", here / f"meta_{CATEGORY}.jsonl.gz"
    assert result.facts["next"] == f"cocorec preprocess {train} --items {meta}"


def test_the_manifest_tells_where_each_file_came_from(games, fetch, here):
    fetch()
    manifest = json.loads((here / DOWNLOAD).read_text())
    assert (manifest["dataset"], manifest["category"], manifest["kind"]) == ("amazon-2023", CATEGORY, "last_out_w_his")
    assert list(manifest["files"]) == sorted(Path(path).name for path in games.files)
    for path, content in games.files.items():
        assert manifest["files"][Path(path).name] == {
            "url": f"{games.url}/{path}",
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "etag": games.marks(content)["ETag"],
            "last_modified": games.marks(content)["Last-Modified"],
        }


def test_a_second_download_verifies_and_asks_for_nothing(games, fetch):
    first = fetch()
    games.requests.clear()
    second = fetch()
    assert second.skipped
    assert not games.requests
    assert [row["state"] for row in second.facts["files"]] == ["verified"] * 4
    assert [row["sha256"] for row in second.facts["files"]] == [row["sha256"] for row in first.facts["files"]]


@pytest.mark.parametrize("damage", ["changed", "cut", "gone"])
def test_a_damaged_file_is_fetched_again(games, fetch, here, damage):
    fetch()
    games.requests.clear()
    path = here / f"meta_{CATEGORY}.jsonl.gz"
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content[:-1] + (b"" if damage == "cut" else bytes([content[-1] ^ 1])))
    listener = Recorder()
    assert [row["state"] for row in fetch(reporter=listener).facts["files"]] == ["verified"] * 3 + ["downloaded"]
    assert games.paths == [f"raw/meta_categories/{path.name}"]
    assert path.read_bytes() == content
    assert [str(path) in said for said in listener.said] == [True]


def test_force_fetches_all_files_from_the_beginning(games, fetch, here):
    fetch()
    (here / f"{CATEGORY}.train.csv.gz.part").write_bytes(b"old")
    games.requests.clear()
    assert not fetch(force=True).skipped
    assert games.paths == list(games.files)
    assert not any("Range" in headers for _, headers in games.requests)


def test_files_that_nobody_recorded_are_not_overwritten(games, fetch, here):
    here.mkdir()
    own = here / f"{CATEGORY}.valid.csv.gz"
    own.write_bytes(b"mine")
    with pytest.raises(DataError, match="does not say where it came from") as caught:
        fetch()
    assert str(own) in str(caught.value) and "--force" in str(caught.value)
    assert own.read_bytes() == b"mine"
    assert not games.requests
    fetch(force=True)
    assert own.read_bytes() == games.files[f"benchmark/5core/last_out_w_his/{own.name}"]


def test_a_crash_before_the_last_step_costs_no_transfer(games, fetch, here, monkeypatch):
    """The machine fails when a file is recorded but not yet in its place."""

    def fail(*paths: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr(stage, "put_in_place", fail)
        fetch()
    games.requests.clear()
    fetch()
    assert games.paths == list(games.files)[1:]
    assert (here / f"{CATEGORY}.train.csv.gz").read_bytes() == next(iter(games.files.values()))


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"files": {"a": {"url": "x"}}}'])
def test_a_manifest_of_another_making_is_refused(fetch, here, text):
    here.mkdir()
    (here / DOWNLOAD).write_text(text)
    with pytest.raises(DataError, match=r"download\.json is not what"):
        fetch()
    assert (here / DOWNLOAD).read_text() == text


def test_a_kill_just_before_the_end_leaves_nothing(games, fetch, here):
    fetch()
    before = visible(here)
    for name in before:  # a run that was killed between putting a file into its place and forgetting about it
        if name.endswith(".gz"):
            (here / f"{name}.part.json").write_text("{}")
    assert fetch().skipped
    assert visible(here) == before


def test_kinds_do_not_mix_in_a_folder(games, fetch):
    fetch()
    games.requests.clear()
    with pytest.raises(UsageError, match=r"holds .*last_out_w_his, not .*timestamp_w_his"):
        fetch(kind="timestamp_w_his")
    assert not games.requests


def test_one_download_at_a_time(fetch, here):
    with locked(here, "test"), pytest.raises(DataError, match="--to"):
        fetch()


@pytest.mark.parametrize("category", ["../up", "a/b", "", ".", "a b", "a\n", "-x", "Ünknown", "a\0", "C:x", "a__b"])
def test_names_that_are_no_names(fetch, tmp_path, category):
    with pytest.raises(UsageError, match="is not the name of a category"):
        fetch(category=category)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"kind": "last"}, "--kind 'last' is unknown"),
        ({"max_size": 0}, "--max-size must be above 0"),
        ({"max_size": float("nan")}, "--max-size nan is not a finite number"),
        ({"retries": -1}, "--retries"),
        ({"timeout": 0}, "--timeout"),
        ({"base_url": "ftp://host/data"}, "is not an http or https address"),
        ({"base_url": "file:///etc"}, "is not an http or https address"),
        ({"base_url": "host/data"}, "is not an http or https address"),
        ({"base_url": "http://host:port/"}, "is not an http or https address"),
        ({"base_url": "http://host/a b"}, "is not an http or https address"),
        ({"base_url": "http://name:secret@host/"}, "cannot be part of it"),
        ({"base_url": "http://host/data?x=1"}, "cannot be part of it"),
        ({"base_url": BASE_URL + "/", "category": "Musical_Instrument"}, "Did you mean Musical_Instruments"),
        ({"base_url": BASE_URL, "category": "Amazon_Fashion"}, "is no category of amazon-2023 with 5-core files"),
    ],
)
def test_options_that_do_not_fit(fetch, tmp_path, options, expected):
    with pytest.raises(UsageError) as caught:
        fetch(**options)
    assert expected in str(caught.value)
    assert "secret" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_there_is_one_data_set():
    with pytest.raises(UsageError, match="DATASET 'netflix' is unknown\nChoose one of amazon-2023"):
        download(DownloadOptions(dataset="netflix", category="all"))


def test_the_files_of_scientific_arrive(scientific, mirror, tmp_path):
    mirror.add("Scientific", scientific)
    result = download(DownloadOptions(dataset="amazon-2023", category="Scientific", base_url=mirror.url, to=tmp_path))
    assert len(result.facts["files"]) == 4
    for row in result.facts["files"]:
        assert (tmp_path / row["file"]).read_bytes() == (scientific / row["file"]).read_bytes()
    with gzip.open(tmp_path / "Scientific.train.csv.gz", "rt") as file:
        assert next(file).startswith("user_id,parent_asin,")
