"""Data sets under names of their own: Amazon 2014 and 2018, RecBole, MovieLens; Arrow and Hugging Face folders."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from stages.artifacts.errors import DataError, UsageError

Write = Callable[..., Path]
Run = Callable[..., Any]
TIME = 1_400_000_000


def old_review(user: str, item: str, time: int, **more: Any) -> dict[str, Any]:
    review = {"reviewerID": user, "asin": item, "overall": 5.0, "unixReviewTime": TIME + time, "reviewText": "it's ok"}
    return {**review, "summary": 'a "b"', "reviewTime": "05 13, 2014", **more}


# A line of the published file of 2014: Python, with both kinds of quotes and an escape.
META_2014 = [
    r"""{'asin': 'A', 'title': "Tool\'s \"best\" \u00e9", 'price': 3.17, 'imUrl': 'http://x/a.jpg', 'brand': 'Acme', """
    r"""'related': {'also_bought': ['B']}, 'salesRank': {'Toys': 5}, 'categories': [['Tools', 'Saws'], ['Garden']]}""",
    """{'asin': 'B', 'imUrl': 'x', 'categories': [['Tools']], 'description': 'First.', 'title': None}""",
]
META_2018 = [
    {"asin": "A", "title": "Saw", "brand": "by\n    \n    Acme", "category": ["Tools", "Saws"], "feature": ["Sharp"]}
    | {"description": ["d"], "also_buy": ["B"], "rank": "5 in Tools", "main_cat": "Tools", "price": "$3"},
    {"asin": "B", "title": "Axe", "brand": "B", "category": [], "feature": [], "also_view": [], "main_cat": "Tools"},
]
EXPECTED = {"u": ["A", "B", "A"], "v": ["B"]}
EVENTS = [("u", "B", 2), ("u", "A", 3), ("v", "B", 1), ("u", "A", 1)]


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("python", [False, True], ids=["JSON", "Python"])
def test_amazon_2014(run: Run, write: Write, suffix: str, python: bool) -> None:
    reviews = [old_review(*event, helpful=[0, 1]) for event in EVENTS]
    log = write(f"reviews_Tools.json{suffix}", [str(row) for row in reviews] if python else reviews)
    made = run(log, items=[write(f"meta_Tools.json{suffix}", META_2014)], k_core=0)
    assert (made.facts["format"], made.facts["items_format"]) == ("amazon-2014", "amazon-2014")
    assert made.users == EXPECTED
    assert made.times["u"] == [TIME + 1, TIME + 2, TIME + 3]
    assert made.items == {
        "A": {"title": 'Tool\'s "best" é', "brand": "Acme", "categories": "Tools, Saws, Garden", "description": None},
        "B": {"title": None, "brand": None, "categories": "Tools", "description": "First."},
    }


def test_amazon_2018(run: Run, write: Write) -> None:
    rows = [old_review(*event, verified=True, overall=4 if event[2] == 2 else 5) for event in EVENTS]
    log, meta = write("Tools.json.gz", rows), write("meta_Tools.json.gz", META_2018)
    made = run(log, items=[meta], k_core=0)
    assert (made.facts["format"], made.facts["items_format"]) == ("amazon-2018", "amazon-2018")
    assert made.users == EXPECTED
    assert made.items["A"] == {
        "title": "Saw",
        "brand": "Acme",
        "features": "Sharp",
        "categories": "Tools, Saws",
        "description": "d",
    }
    assert run(log, k_core=0, rating_min=5).users == {"u": ["A", "A"], "v": ["B"]}


def test_nothing_in_a_python_line_is_executed(run: Run, write: Write, tmp_path: Path) -> None:
    bait = tmp_path / "executed"
    evil = f"{{'reviewerID': __import__('pathlib').Path({str(bait)!r}).touch(), 'asin': 'A', 'unixReviewTime': 1}}"
    good = str(old_review("u", "A", 1))
    with pytest.raises(DataError, match=r"log\.json: line 151 is not a dictionary of Python"):
        run(write("log.json", [good] * 150 + [evil]), k_core=0, format="amazon-2014", force=True)
    with pytest.raises(DataError, match="record 1 is not JSON"):
        run(write("log.json", [evil, good]), k_core=0)
    assert not bait.exists()


def test_amazon_2023_ratings(run: Run, write: Write) -> None:
    rows = [f"{user},{item},5.0,{TIME + time}" for user, item, time in EVENTS]
    made = run(write("Tools.csv.gz", ["user_id,parent_asin,rating,timestamp", *rows]), k_core=0)
    assert made.facts["format"] == "amazon-2023-ratings"
    assert made.users == EXPECTED


@pytest.mark.parametrize("history", [True, False])
@pytest.mark.parametrize("kind", ["last_out", "timestamp"])
def test_every_kind_of_amazon_2023_benchmark(run: Run, write: Write, kind: str, history: bool) -> None:
    # u lives through the split, w comes after training ended: only a split by time has such users.
    events = {"u": "abcdef"} | ({"w": "cd"} if kind == "timestamp" else {"w": "abc"})
    rows: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for user, items in events.items():
        for n, item in enumerate(items):
            late = n - len(items) if kind == "last_out" or user == "u" else n - 2
            part = {-2: "valid", -1: "test"}.get(late, "train")
            rows[part].append(f"{user},{item},5.0,{TIME + n}" + (f",{' '.join(items[:n])}" if history else ""))
    header = "user_id,parent_asin,rating,timestamp" + (",history" if history else "")
    for part, lines in rows.items():
        write(f"T.{part}.csv.gz", [header, *lines])
    made = run(write("T.train.csv.gz", [header, *rows["train"]]))
    assert made.facts["format"] == "amazon-2023-benchmark"
    assert made.users == {user: list(items) for user, items in events.items()}
    assert made.parts == {"u": (4, 5), "w": (0, 1) if kind == "timestamp" else (1, 2)}


RECBOLE = ["user_id:token\titem_id:token\trating:float\ttimestamp:float"]


def test_recbole_single_events(run: Run, write: Write) -> None:
    log = write("x.inter", RECBOLE + [f"{u}\t{i}\t{5 - t}\t{TIME + t}.0" for u, i, t in EVENTS])
    lines = ['A\tSaw 5" "new\tTools Saws\t1995\t3.5', "B\t\tAxes\t\t"]
    items = write("x.item", ["item_id:token\ttitle:token_seq\tclass:token_seq\tyear:token\tprice:float", *lines])
    made = run(log, items=[items], k_core=0)
    assert (made.facts["format"], made.facts["items_format"]) == ("recbole", "recbole")
    assert made.users == EXPECTED
    assert made.items == {"A": {"title": 'Saw 5" "new', "class": "Tools Saws"}, "B": {"title": None, "class": "Axes"}}
    assert run(log, items=[items], views=["year"], k_core=0).items["A"] == {"year": "1995"}
    assert run(log, k_core=0, rating_min=3).users == {"u": ["A", "B"], "v": ["B"]}


def test_recbole_split_of_single_events(run: Run, write: Write) -> None:
    header = "user_id:token\titem_id:token"
    for part, items in (("valid", "d"), ("test", "e"), ("train", "bac")):
        path = write(f"x.{part}.inter", [header, *(f"u\t{item}" for item in items)])
    made = run(path)
    assert (made.facts["format"], made.users["u"], made.parts["u"]) == ("recbole-benchmark", list("bacde"), (3, 4))


SEQUENCES = "user_id:token\titem_id_list:token_seq\titem_id:token"


@pytest.fixture
def sequences(write: Write) -> Path:
    write("x.valid.inter", [SEQUENCES, "7\t0 1 2\t0"])
    write("x.test.inter", [SEQUENCES, "7\t0 1 2 0\t3"])
    return write("x.train.inter", [SEQUENCES, "7\t0 1\t2", "7\t0\t1"])


def test_recbole_sequences(run: Run, sequences: Path, write: Write) -> None:
    made = run(sequences)
    assert (made.facts["format"], made.facts["split"]) == ("recbole-benchmark", "published")
    assert (made.users, made.parts) == ({"7": list("01203")}, {"7": (3, 4)})
    write("x.item2index", [f"{item}\t{n}" for n, item in enumerate(["Z9", "Y", "X x", "W"])])
    write("x.user2index", ["somebody\t7"])
    assert run(sequences).users == {"somebody": ["Z9", "Y", "X x", "Z9", "W"]}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["Z\t0", "Y\t1", "X\t2"], r"x\.item2index has no line for '3', which is in the log"),
        (["Z\t0", "Y\t0", "X\t2", "W\t3"], r"x\.item2index: line 1: '0' is there more than once"),
        (["Z\t0", "Y\t1", "Z\t2", "W\t3"], r"x\.item2index: line 1: 'Z' is there more than once"),
        (["Z\t0", "Y", "X\t2", "W\t3"], r"x\.item2index: line 2: None is .*missing"),
    ],
)
def test_ids_that_do_not_fit_the_numbers(
    run: Run, sequences: Path, write: Write, lines: list[str], message: str
) -> None:
    write("x.item2index", lines)
    with pytest.raises(DataError, match=message):
        run(sequences)


def test_sequences_under_another_name_are_not_taken_for_events(run: Run, write: Write) -> None:
    with pytest.raises(UsageError, match=r"not named like NAME\.train\.inter"):
        run(write("all.inter", [SEQUENCES, "7\t0 1\t2"]))


MOVIES = {"1": ("Toy Story (1995)", "Animation|Children's|Comedy"), "2": ("Misérables, Les (1995)", None)}
RATINGS = [("1", "2", 4, 2), ("1", "1", 5, 1), ("9", "2", 3, 7)]
GENRES = {"1": {"title": MOVIES["1"][0], "genres": "Animation, Children's, Comedy"}}
GENRES["2"] = {"title": MOVIES["2"][0], "genres": None}


def movielens(folder: Path, layout: str) -> tuple[Path, Path]:
    folder.mkdir()
    (folder / "README").write_text("about")
    if layout == "ml-100k":
        log, items = folder / "u.data", folder / "u.item"
        log.write_text("".join(f"{u}\t{m}\t{r}\t{TIME + t}\n" for u, m, r, t in RATINGS))
        flags = {"1": "0|0|0|1|1|1" + "|0" * 13, "2": "1" + "|0" * 18}
        text = "".join(f"{m}|{title}|01-Jan-1995||http://x?{m}|{flags[m]}\n" for m, (title, _) in MOVIES.items())
        items.write_bytes(text.encode("latin-1"))
        (folder / "u.user").write_text("1|24|M|technician|85711\n")
    elif layout in ("ml-1m", "ml-10m"):
        log, items = folder / "ratings.dat", folder / "movies.dat"
        log.write_text("".join(f"{u}::{m}::{r}::{TIME + t}\n" for u, m, r, t in RATINGS))
        text = "".join(f"{m}::{title}::{genres or '(no genres listed)'}\n" for m, (title, genres) in MOVIES.items())
        items.write_bytes(text.encode("latin-1" if layout == "ml-1m" else "utf-8"))
    else:
        log, items = folder / "ratings.csv", folder / "movies.csv"
        log.write_text(
            "userId,movieId,rating,timestamp\n" + "".join(f"{u},{m},{r},{TIME + t}\n" for u, m, r, t in RATINGS)
        )
        rows = [f'{m},"{title}",{genres or "(no genres listed)"}\n' for m, (title, genres) in MOVIES.items()]
        items.write_text("movieId,title,genres\n" + "".join(rows))
        (folder / "tags.csv").write_text("userId,movieId,tag,timestamp\n1,1,fun,5\n")
    return log, items


@pytest.mark.parametrize("whole_folder", [False, True], ids=["files", "folder"])
@pytest.mark.parametrize("layout", ["ml-100k", "ml-1m", "ml-10m", "ml-25m"])
def test_movielens(run: Run, tmp_path: Path, layout: str, whole_folder: bool) -> None:
    log, items = movielens(tmp_path / layout, layout)
    if whole_folder:
        log = items = log.parent
    made = run(log, items=[items], k_core=0)
    assert (made.facts["format"], made.facts["items_format"]) == ("movielens", "movielens")
    assert made.users == {"1": ["1", "2"], "9": ["2"]}
    assert made.times["9"] == [TIME + 7]
    assert made.items == GENRES
    assert run(log, k_core=0, rating_min=4).users == {"1": ["1", "2"]}


def table() -> pl.DataFrame:
    return pl.DataFrame(EVENTS, schema={"who": pl.String, "what": pl.String, "when": pl.Int64}, orient="row")


COLUMNS = {"user_column": "who", "item_column": "what", "time_column": "when", "k_core": 0}


def write_stream(path: Path, data: pa.Table) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.ipc.new_stream(path, data.schema) as writer:
        writer.write_table(data, max_chunksize=2)
    return path


@pytest.mark.parametrize("compression", ["uncompressed", "zstd"])
def test_arrow_and_feather(run: Run, tmp_path: Path, compression: str) -> None:
    path = tmp_path / "log.feather"
    table().write_ipc(path, compression=compression)
    texts = pl.DataFrame({"what": ["A", "B"], "name": ["a", "b"], "tags": [["x", "y"], []], "n": [1, 2]})
    texts.write_ipc(tmp_path / "texts.arrow", compression=compression)
    made = run(path, items=[tmp_path / "texts.arrow"], **COLUMNS)
    assert made.users == EXPECTED
    assert made.items == {"A": {"name": "a", "tags": "x, y"}, "B": {"name": "b", "tags": None}}


def test_damaged_arrow(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "log.arrow"
    table().write_ipc(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"log\.arrow is damaged"):
        run(path, **COLUMNS)
    write_stream(path, table().to_arrow())
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(DataError, match=r"cannot read .*log\.arrow"):
        run(path, **COLUMNS)
    path.write_bytes(b"FEA1" + bytes(50))
    with pytest.raises(DataError, match="Feather file of version 1"):
        run(path, **COLUMNS)


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


def test_says_which_format_was_recognised(run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log, _ = movielens(tmp_path / "m", "ml-1m")
    with caplog.at_level("INFO", logger="cocorec"):
        run(log, k_core=0)
    assert "ratings.dat: read as movielens (ratings of MovieLens" in caplog.text
