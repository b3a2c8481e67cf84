"""What people's files did to other tools without a word: each is read right, or named with its line, file or column."""

import bz2
import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reasons import counts_dropped

from stages.artifacts.errors import DataError

Run = Callable[..., Any]
Row = tuple[str, str, int]
NULLS = ["nan", "NULL", "None", "NA", "\\N"]


@pytest.fixture
def rows() -> list[Row]:
    """40 users with 8 of 25 items each, not in the order of their times."""
    rng = np.random.default_rng(0)
    found = [
        (f"u{user:03d}", f"i{item:03d}", 1_600_000_000 + 1000 * user + place)
        for user in range(40)
        for place, item in enumerate(rng.permutation(25)[:8])
    ]
    return [found[place] for place in rng.permutation(len(found))]


def csv(path: Path, rows: list[Any], header: str = "user_id,item_id,timestamp") -> Path:
    path.write_text("".join(f"{','.join(map(str, row))}\n" for row in [header.split(","), *rows]), encoding="utf-8")
    return path


def histories(rows: list[Row]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for user, item, _ in sorted(rows, key=lambda row: row[2]):
        found.setdefault(user, []).append(item)
    return found


def test_escaped_quotes(run: Run, tmp_path: Path, rows: list[Row]) -> None:
    for marked in ((10, 100), (10,)):
        notes = ['"fits my 6\\" pipe"' if number in marked else "good" for number in range(len(rows))]
        lines = [(user, item, note, time) for (user, item, time), note in zip(rows, notes, strict=True)]
        log = csv(tmp_path / "log.csv", lines, "user_id,item_id,review,timestamp")
        assert run(log, k_core=0, force=True).users == histories(rows)


def test_bare_quotes(run: Run, tmp_path: Path, rows: list[Row]) -> None:
    titles = {
        f"i{k:03d}": f"pipe {k}{' 6' if k in (3, 5) else ''}" + ('" long' if k in (3, 5) else "") for k in range(25)
    }
    items = tmp_path / "items.tsv"
    items.write_text("item_id\ttitle\n" + "".join(f"{id}\t{title}\n" for id, title in titles.items()))
    made = run(csv(tmp_path / "log.csv", rows), items=[items])
    assert {id: item["title"] for id, item in made.items.items()} == titles


@pytest.mark.parametrize("kind", ["text", "float", "iso", "us", "ns", "json"])
def test_fractions_decide_the_order(run: Run, tmp_path: Path, kind: str) -> None:
    events = [(f"u{user}", f"i{(user * 3 + k) % 20}", user, k) for user in range(5) for k in range(8)][::-1]
    seconds = [1_700_000_000 + user * 86_400 + k * 0.1 + 0.05 for _, _, user, k in events]
    frame = pd.DataFrame({"user_id": [e[0] for e in events], "item_id": [e[1] for e in events]})
    path = tmp_path / {"us": "log.parquet", "ns": "log.parquet", "float": "log.parquet", "json": "log.jsonl"}.get(
        kind, "log.csv"
    )
    moments = pd.to_datetime(np.round(np.array(seconds) * 1000).astype("int64"), unit="ms")
    match kind:
        case "text":
            frame["timestamp"] = [f"{second:.3f}" for second in seconds]
        case "float" | "json":
            frame["timestamp"] = seconds
        case "iso":
            frame["timestamp"] = [moment.isoformat() + "+00:00" for moment in moments]
        case _:
            frame["timestamp"] = moments.astype(f"datetime64[{kind}]")
    {"log.csv": lambda: frame.to_csv(path, index=False), "log.parquet": lambda: frame.to_parquet(path)}.get(
        path.name, lambda: pl.from_pandas(frame).write_ndjson(path)
    )()
    made = run(path, k_core=0)
    assert made.users == {f"u{user}": [f"i{(user * 3 + k) % 20}" for k in range(8)] for user in range(5)}
    assert made.facts["interactions_at_equal_times"] == 0
    # 0.1 has no end in binary: a float has more decimals than were meant, and they are kept.
    assert made.facts["time_unit"] == ("ns" if kind in ("float", "json") else "ms")


def test_nanoseconds_decide_the_order(run: Run, tmp_path: Path) -> None:
    rows = [("u", f"i{n}", f"1700000000.{9 - n:09d}") for n in range(5)]
    made = run(csv(tmp_path / "log.csv", rows), k_core=0)
    assert made.users == {"u": ["i4", "i3", "i2", "i1", "i0"]}
    assert made.times["u"][0] == 1_700_000_000_000_000_005


def test_equal_times_of_a_log_that_is_newest_first_are_said(run: Run, tmp_path: Path, rows: list[Row]) -> None:
    coarse = [(user, item, time // 4 * 4) for user, item, time in sorted(rows, key=lambda row: -row[2])]
    made = run(csv(tmp_path / "log.csv", coarse), k_core=0)
    assert made.facts["interactions_at_equal_times"] == made.facts["newest_first_ties"] == 240
    assert any("the log is newest first, and 240 interactions" in warning for warning in made.warnings)
    made = run(csv(tmp_path / "log.csv", coarse[::-1]), k_core=0)
    assert made.facts["interactions_at_equal_times"] == 240
    assert not any("newest first" in warning for warning in made.warnings)


def test_every_file_below_a_folder_is_read_or_named(run: Run, tmp_path: Path, rows: list[Row]) -> None:
    folder = tmp_path / "logs"
    (folder / "year=2024" / "month=05").mkdir(parents=True)
    (folder / "old").mkdir()
    csv(folder / "a.csv", rows[:100])
    (folder / "b.csv.bz2").write_bytes(bz2.compress(csv(tmp_path / "b.csv", rows[100:200]).read_bytes()))
    pl.read_csv(csv(tmp_path / "c.csv", rows[200:250])).write_csv(folder / "year=2024" / "month=05" / "part-0.csv")
    (folder / "old" / "d.csv.gz").write_bytes(gzip.compress(csv(tmp_path / "d.csv", rows[250:]).read_bytes()))
    (folder / "a.csv.gz").write_bytes(gzip.compress((folder / "a.csv").read_bytes()))
    (folder / "README.md").write_text("about")
    (folder / "_drafts.csv").write_text("user_id,item_id\n")
    (folder / "_SUCCESS").touch()
    (folder / "elsewhere").symlink_to(tmp_path)
    made = run(folder, k_core=0)
    assert made.users == histories(rows)
    said = "\n".join(made.warnings)
    assert "passed over a.csv.gz: the same file stands beside it" in said
    assert "passed over README.md: no known kind of file" in said
    assert "passed over _drafts.csv: hidden, or set aside" in said
    assert "passed over elsewhere: a link to a folder" in said
    assert "_SUCCESS" not in said
    assert run(folder, k_core=0).warnings == made.warnings  # also when it is up to date


def test_partitions_are_columns(run: Run, tmp_path: Path) -> None:
    for user, shop in (("u", "A b"), ("v", "c")):
        part = tmp_path / "log" / f"user_id={user}" / f"shop={shop.replace(' ', '%20')}"
        part.mkdir(parents=True)
        pq.write_table(pa.table({"item_id": [f"{shop} 1", f"{shop} 2"], "timestamp": [2, 1]}), part / "0.parquet")
    nobody = tmp_path / "log" / "user_id=__HIVE_DEFAULT_PARTITION__"
    nobody.mkdir()
    pq.write_table(pa.table({"item_id": ["x"], "timestamp": [1]}), nobody / "0.parquet")
    made = run(tmp_path / "log", k_core=0)
    assert made.users == {"u": ["A b 2", "A b 1"], "v": ["c 2", "c 1"]}
    assert counts_dropped(made.facts) == {"rows without a user or an item": 1}
    assert run(tmp_path / "log" / "*" / "*" / "*.parquet", k_core=0, item_column="shop").users == {
        "u": ["A b", "A b"],
        "v": ["c", "c"],
    }


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_words_for_nothing_are_counted(run: Run, tmp_path: Path, rows: list[Row], ending: str) -> None:
    named = [(user if n % 4 else NULLS[n // 4 % 5], item, time) for n, (user, item, time) in enumerate(rows)]
    frame = pl.DataFrame(named, schema=["user_id", "item_id", "timestamp"], orient="row")
    path = tmp_path / f"log.{ending}"
    {"csv": frame.write_csv, "jsonl": frame.write_ndjson, "parquet": frame.write_parquet}[ending](path)
    made = run(path, k_core=0)
    assert made.facts["doubtful_ids"] == {"user": dict.fromkeys(NULLS, 16)}
    assert any("80 rows have user ids that may stand for nothing" in warning for warning in made.warnings)
    made = run(path, k_core=0, null_values=NULLS)
    assert made.users == histories([row for row in named if row[0] not in NULLS])
    assert counts_dropped(made.facts) == {"rows without a user or an item": 80}


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_words_for_nothing_in_times_ratings_and_texts(run: Run, tmp_path: Path, ending: str) -> None:
    log = pl.DataFrame(
        {"user_id": "u", "item_id": ["A", "B", "C"], "timestamp": ["2", "NULL", "1"], "rating": ["5", "4", "NULL"]}
    )
    items = pl.DataFrame({"item_id": ["A", "C", "NULL"], "title": ["NULL", "c", "x"]})
    paths = [tmp_path / f"{name}.{ending}" for name in ("log", "items")]
    for frame, path in zip((log, items), paths, strict=True):
        {"csv": frame.write_csv, "jsonl": frame.write_ndjson, "parquet": frame.write_parquet}[ending](path)
    with pytest.raises(DataError, match=r"holds 'NULL', which is not a time.*\n.*--null-values"):
        run(paths[0], items=[paths[1]], k_core=0)
    made = run(paths[0], items=[paths[1]], k_core=0, null_values=["NULL"])
    assert made.users == {"u": ["C", "A"]}
    assert made.items == {"A": {"title": None}, "C": {"title": "c"}}
    assert run(paths[0], k_core=0, null_values=["NULL"], rating_min=5).users == {"u": ["A"]}
    made = run(csv(tmp_path / "plain.csv", [("u", "A", 1)]), items=[paths[1]], k_core=0)
    assert made.facts["null_words"] == {"title": {"NULL": 1}}


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_one_id_has_one_spelling(run: Run, tmp_path: Path, rows: list[Row], ending: str) -> None:
    spelt = [
        {
            "user_id": f"{int(user[1:])}{'.0' if n % 2 else ''}",
            "item_id": f"{int(item[1:])}{'.00' if n % 3 else ''}",
            "timestamp": time,
        }
        for n, (user, item, time) in enumerate(rows)
    ]
    path, items = tmp_path / f"log.{ending}", tmp_path / f"items.{ending}"
    frames = {path: pl.DataFrame(spelt), items: pl.DataFrame({"item_id": ["7.0", "8"], "title": ["seven", "eight"]})}
    for target, frame in frames.items():
        (frame.write_csv if ending == "csv" else frame.write_ndjson)(target)
    made = run(path, items=[items], k_core=0)
    assert made.users == histories([(str(int(user[1:])), str(int(item[1:])), time) for user, item, time in rows])
    assert (made.items["7"], made.items["8"]) == ({"title": "seven"}, {"title": "eight"})


def test_what_python_writes_into_json(run: Run, tmp_path: Path, rows: list[Row]) -> None:
    log, meta = tmp_path / "log.jsonl", tmp_path / "meta.jsonl"
    with log.open("w") as file:
        for n, (user, item, time) in enumerate(rows):
            price = {57: float("nan"), 58: float("inf"), 59: -float("inf")}.get(n, 4.0)
            file.write(json.dumps({"user_id": user, "item_id": item, "timestamp": time, "price": price}) + "\n")
    with meta.open("w") as file:
        for k in range(25):
            title = f"pipe {k}" + (" \ud83d" if k == 3 else "")
            file.write(
                json.dumps({"item_id": f"i{k:03d}", "title": title, "price": float("nan") if k == 7 else 3}) + "\n"
            )
    made = run(log, items=[meta], k_core=0, views=["title", "price"])
    assert made.users == histories(rows)
    assert made.items["i003"]["title"] == "pipe 3"
    assert (made.items["i007"]["price"], made.items["i008"]["price"]) == (None, "3")
    with log.open("a") as file:
        file.write('{"user_id": "u\n')
    with pytest.raises(DataError, match=r"log\.jsonl: line 321 is not JSON"):
        run(log, k_core=0)
    made = run(log, k_core=0, max_bad_rows=1)
    assert made.users == histories(rows)
    assert made.facts["bad_rows"] == {"log.jsonl": [321]}


def test_bytes_that_are_no_text_in_json(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    good = b'{"user_id": "u", "item_id": "%d", "timestamp": %d}\n'
    half = b'{"user_id": "\xed\xa0\xbd", "item_id": "x", "timestamp": 1}\n'
    log.write_bytes(b"".join(good % (n, n) for n in range(150)) + half + good % (150, 150))
    with pytest.raises(DataError, match=r"log\.jsonl: line 151 is not UTF-8"):
        run(log, k_core=0)
    made = run(log, k_core=0, max_bad_rows=1)
    assert made.users == {"u": [str(n) for n in range(151)]}


def test_keys_that_come_late(run: Run, tmp_path: Path, rows: list[Row]) -> None:
    early = [{"user_id": f"u{n % 40:03d}", "item_id": "i001"} for n in range(110)]
    late = [{"user_id": user, "item_id": item, "timestamp": time} for user, item, time in rows]
    log, other = tmp_path / "log.jsonl", tmp_path / "other.jsonl"
    log.write_text("".join(json.dumps(record) + "\n" for record in [*early, *late]))
    made = run(log, k_core=0)
    assert made.users == histories(rows)
    assert counts_dropped(made.facts) == {"rows without a time": 110}
    other.write_text(json.dumps(early[0]) + "\n")
    made = run(other, log, k_core=0)
    assert made.users == histories(rows)
    assert counts_dropped(made.facts) == {"rows without a time": 111}
    csv(tmp_path / "a.csv", [("u", "A")], "user_id,item_id")
    with pytest.raises(DataError, match=r"a\.csv: there is no column 'timestamp'"):
        run(tmp_path / "a.csv", csv(tmp_path / "b.csv", rows), k_core=0)


def test_ids_of_metadata_that_come_late(run: Run, tmp_path: Path) -> None:
    meta = tmp_path / "meta.jsonl"
    meta.write_text('{"title": "x"}\n' * 110 + '{"item_id": "A", "title": "a", "new": "n"}\n')
    made = run(csv(tmp_path / "log.csv", [("u", "A", 1)]), items=[meta], k_core=0, views=["title", "new"])
    assert made.items == {"A": {"title": "a", "new": "n"}}


@pytest.mark.parametrize("kind", ["parquet", "arrow", "pandas CSV", "polars rows"])
def test_metadata_of_amazon_in_every_container(run: Run, tmp_path: Path, rows: list[Row], kind: str) -> None:
    n = 25
    table = pa.table(
        {
            "main_category": ["X"] * n,
            "title": [f"pipe {k}" for k in range(n)],
            "store": ["acme"] * n,
            "price": ["None"] * n,
            "features": [["it's a", "b"]] * n,
            "description": pa.array([[]] * n, pa.list_(pa.string())),
            "categories": [["A", "B"]] * n,
            "details": [json.dumps({"Brand": "Acme" if k else None, "Manufacturer": "m"}) for k in range(n)],
            "parent_asin": [f"i{k:03d}" for k in range(n)],
        }
    )
    path = tmp_path / "meta.parquet"
    match kind:
        case "parquet":
            pq.write_table(table, path)
        case "arrow":
            pl.DataFrame(table).write_ipc(path)
        case "pandas CSV":  # lists as Python writes them
            pd.DataFrame(table.to_pylist()).to_csv(path, index=False)
        case _:  # lists as numpy writes them
            table.to_pandas().to_csv(path, index=False)
    views = ["title", "brand", "features", "categories", "description"]
    made = run(csv(tmp_path / "log.csv", rows), items=[path], views=views)
    assert made.facts["items_format"] == "amazon-2023"
    assert made.items["i003"] == {
        "title": "pipe 3",
        "brand": "Acme",
        "features": "it's a, b",
        "categories": "A, B",
    }
    assert made.items["i000"]["brand"] == "acme"
    assert made.facts["views_left_out"] == ["description"]


@pytest.mark.skipif(os.name != "posix", reason="paths are bytes there")
def test_paths_that_are_not_utf8(run: Run, tmp_path: Path) -> None:
    good = csv(tmp_path / "log.csv", [("u", "A", 1)])
    bad = Path(os.fsdecode(os.fsencode(tmp_path) + b"/logs/l\xe9g.csv"))
    bad.parent.mkdir()
    bad.write_bytes(good.read_bytes())
    for named in (bad, bad.parent, bad.parent / "*.csv"):
        with pytest.raises(DataError, match=r"l\\udce9g\.csv' is not UTF-8\n"):
            run(named, k_core=0)
    with pytest.raises(DataError, match="is not UTF-8"):
        run(good, k_core=0, workdir=Path(os.fsdecode(os.fsencode(tmp_path) + b"/w\xe9")))


@pytest.mark.parametrize("which", ["all", "first", "last"])
def test_repeats_of_a_user(run: Run, tmp_path: Path, which: str) -> None:
    log = csv(tmp_path / "log.csv", [("u", item, n) for n, item in enumerate("ABABCA")] + [("v", "A", 0)])
    made = run(log, k_core=0, repeats=which)
    assert made.users == {"u": {"all": list("ABABCA"), "first": list("ABC"), "last": list("BCA")}[which], "v": ["A"]}
    gone = 0 if which == "all" else 3
    assert counts_dropped(made.facts) == ({"further interactions of a user with an item": 3} if gone else {})
