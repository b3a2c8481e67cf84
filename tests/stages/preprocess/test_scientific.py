"""The published split of Scientific (UniSRec, KDD 2022)."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reasons import counts_dropped

from stages.artifacts.names import ITEMS, SEQUENCES
from stages.artifacts.sequences import Sequences, read_sequences
from stages.artifacts.tables import read_table
from stages.frame.result import Result
from stages.preprocess import PreprocessOptions, preprocess

LONGEST_HISTORY = 50
"""The files cut longer histories."""


@pytest.fixture(scope="module")
def made(scientific: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    workdir = tmp_path_factory.mktemp("scientific")
    train, meta = scientific / "Scientific.train.csv.gz", scientific / "meta_Scientific.jsonl.gz"
    return workdir, preprocess(PreprocessOptions([train], items=[meta]), workdir=workdir)


@pytest.fixture(scope="module")
def sequences(made: tuple[Path, Result]) -> Sequences:
    return read_sequences(made[0] / SEQUENCES, items=4385, user_ids=True)


def test_counts_are_the_published_ones(made: tuple[Path, Result]) -> None:
    facts = made[1].facts
    assert (facts["users"], facts["items"], facts["interactions"]) == (8442, 4385, 59427)
    assert facts["history_length"]["mean"] == 7.0394
    assert facts["valid_interactions"] == facts["test_interactions"] == 8442
    assert (facts["format"], facts["items_format"]) == ("amazon-2023-benchmark", "amazon-2023")
    assert (facts["split"], facts["k_core"], counts_dropped(facts)) == ("published", 0, {})


def test_counts_of_the_histories_as_the_files_cut_them(sequences: Sequences) -> None:
    lengths = np.diff(sequences.offsets)
    assert np.minimum(lengths, LONGEST_HISTORY + 1).sum() == 59_384
    assert (lengths > LONGEST_HISTORY + 1).sum() == 3


def test_views(made: tuple[Path, Result]) -> None:
    items = read_table(made[0] / ITEMS)
    assert items.schema.names == ["item", "item_id", "title", "brand", "categories"]
    present = {view: len(items) - items[view].null_count for view in ("title", "brand", "categories")}
    assert present == {"title": 4385, "brand": 4373, "categories": 4251}
    assert made[1].facts["views_left_out"] == ["features", "description"]


def test_every_published_row_is_in_the_sequences(
    made: tuple[Path, Result], sequences: Sequences, scientific: Path
) -> None:
    """Each target, its part and its history, row by row from the files."""
    ids = read_table(made[0] / ITEMS)["item_id"].to_pylist()
    assert sequences.user_ids is not None
    of_user = {
        user: [ids[item - 1] for item in sequences.items[sequences.offsets[u] : sequences.offsets[u + 1]]]
        for u, user in enumerate(sequences.user_ids.to_pylist())
    }
    targets = 0
    for part in ("train", "valid", "test"):
        with gzip.open(scientific / f"Scientific.{part}.csv.gz", "rt") as file:
            next(file)
            for line in file:
                user, item, _, _, history = line.rstrip("\n").split(",")
                items = of_user[user]
                window = [*history.split(), item]
                stop = {"valid": len(items) - 1, "test": len(items)}.get(part)
                if stop is None and len(window) <= LONGEST_HISTORY:
                    stop = len(window)
                if stop is None:
                    assert any(items[s - len(window) : s] == window for s in range(len(window), len(items) - 1))
                else:
                    assert items[max(0, stop - len(window)) : stop] == window
                targets += 1
    assert targets + len(of_user) == len(sequences.items)  # all but the first item of each user are targets


def test_compressed_and_plain_files_give_the_same_tables(
    made: tuple[Path, Result], scientific: Path, tmp_path: Path
) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    for path in scientific.glob("*.gz"):
        (plain / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    result = preprocess(
        PreprocessOptions([plain / "Scientific.train.csv"], items=[plain / "meta_Scientific.jsonl"]),
        workdir=tmp_path / "w",
    )
    assert dict(result.facts) == dict(made[1].facts)
    for name in (ITEMS, SEQUENCES):
        # The files differ in the lineage alone, which names the raw files.
        assert read_table(tmp_path / "w" / name).equals(read_table(made[0] / name))
        assert pages(tmp_path / "w" / name) == pages(made[0] / name)


def pages(path: Path) -> bytes:
    """The bytes of all column chunks, without the footer."""
    data = path.read_bytes()
    return data[: -8 - int.from_bytes(data[-8:-4], "little")]


def test_the_atomic_files_as_published_give_the_same_sequences(
    made: tuple[Path, Result], scientific: Path, tmp_path: Path
) -> None:
    """The .inter files hold numbers, the CSV files ids; the order of the ids decides the item numbers of both."""
    if not (scientific / "Scientific.train.inter").is_file():
        pytest.skip(f"{scientific} lacks the atomic files")
    result = preprocess(
        PreprocessOptions([scientific / "Scientific.train.inter"], items=[scientific / "Scientific.text"]),
        workdir=tmp_path / "w",
    )
    assert (result.facts["format"], result.facts["items_format"]) == ("recbole-benchmark", "recbole")
    assert read_table(tmp_path / "w" / SEQUENCES).equals(read_table(made[0] / SEQUENCES))
    assert pages(tmp_path / "w" / SEQUENCES) == pages(made[0] / SEQUENCES)
    ours, theirs = read_table(tmp_path / "w" / ITEMS), read_table(made[0] / ITEMS)
    assert ours["item_id"].equals(theirs["item_id"])
    assert (ours.schema.names, ours["text"].null_count) == (["item", "item_id", "text"], 0)
    # The texts are those that the metadata took apart: "title. categories. brand."
    titles = [title.replace("  ", " ") for title in theirs["title"].to_pylist()]
    starts = [text.startswith(title) for text, title in zip(ours["text"].to_pylist(), titles, strict=True)]
    assert sum(starts) > 0.99 * len(starts)


def test_without_the_files_of_ids_the_numbers_are_the_ids(
    made: tuple[Path, Result], scientific: Path, tmp_path: Path
) -> None:
    """Equal up to the item numbers: the same users and items under other names."""
    if not (scientific / "Scientific.train.inter").is_file():
        pytest.skip(f"{scientific} lacks the atomic files")
    for part in ("train", "valid", "test"):
        (tmp_path / f"S.{part}.inter").symlink_to(scientific / f"Scientific.{part}.inter")
    preprocess(PreprocessOptions([tmp_path / "S.train.inter"]), workdir=tmp_path / "w")
    names = {}
    for column in ("item", "user"):
        pairs = (scientific / f"Scientific.{column}2index").read_text().split()
        names[column] = dict(zip(pairs[1::2], pairs[::2], strict=True))
    tables = []
    for workdir, items_of, users_of in ((tmp_path / "w", names["item"], names["user"]), (made[0], {}, {})):
        ids = [items_of.get(item, item) for item in read_table(workdir / ITEMS)["item_id"].to_pylist()]
        rows = read_table(workdir / SEQUENCES).to_pylist()
        for row in rows:
            row["items"] = [ids[item - 1] for item in row["items"]]
            row["user_id"] = users_of.get(row["user_id"], row["user_id"])
        tables.append(sorted(rows, key=lambda row: row["user_id"]))
    assert tables[0] == tables[1]


def test_leave_one_out_of_the_same_log_is_the_published_split(
    made: tuple[Path, Result], sequences: Sequences, tmp_path: Path, write: Callable[..., Any]
) -> None:
    """The published split is leave-one-out; from the bare interactions the stage has to come to the same."""
    ids = read_table(made[0] / ITEMS)["item_id"].to_pylist()
    assert sequences.user_ids is not None
    rows = ["user_id,item_id,timestamp"]
    for u, user in enumerate(sequences.user_ids.to_pylist()):
        items = sequences.items[sequences.offsets[u] : sequences.offsets[u + 1]]
        rows += [f"{user},{ids[item - 1]},{time}" for time, item in enumerate(items)]
    result = preprocess(PreprocessOptions([write("log.csv", rows[:1] + rows[:0:-1])], k_core=0), workdir=tmp_path / "w")
    assert result.facts["split"] == "leave-one-out"
    columns = ["user_id", "items", "train_end", "valid_end"]
    assert read_table(tmp_path / "w" / SEQUENCES, columns).equals(read_table(made[0] / SEQUENCES, columns))
