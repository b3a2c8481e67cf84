import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from stages.artifacts.errors import DataError
from stages.artifacts.lists import LISTS_SCHEMA
from stages.artifacts.names import BACKTEST, ITEMS
from stages.artifacts.tables import open_table
from stages.report.ranks import Ranks, read_ranks
from stages.report.source import Source
from stages.report.users import MOST_HISTORY, chosen_users, read_users


def test_users_are_spread_over_the_ranks() -> None:
    rank = np.array([9, 1, 5, 7, 3])
    ranks = Ranks(pa.array(list("abcde")), rank, rank, rank, rank)
    assert chosen_users(ranks, 3) == ([1, 2, 0], [1, 5, 9])
    assert chosen_users(ranks, 99) == ([1, 4, 2, 3, 0], [1, 3, 5, 7, 9])
    twice = Ranks(pa.array(list("aabbb")), rank, rank, rank, rank)
    assert chosen_users(twice, 2) == ([0, 1], [1, 3])


def test_what_is_shown_is_what_the_files_say(source: Source) -> None:
    ranks = read_ranks(source)
    users = read_users(source, ranks, 20)
    assert [user.best_rank for user in users] == sorted(user.best_rank for user in users)
    assert (len(users), users[0].best_rank, users[-1].best_rank) == (20, ranks.rank.min(), ranks.rank.max())
    sequences = source.sequences
    known = sequences.user_ids.to_pylist()
    with open_table(source.path(BACKTEST)) as file:
        lists = dict(zip(*file.read(columns=["user_id", "item_ids"]).to_pydict().values(), strict=True))
    with open_table(source.path(ITEMS)) as file:
        titles = dict(zip(*file.read(columns=["item_id", "title"]).to_pydict().values(), strict=True))
    for user in users:
        row = known.index(user.id)
        whole = sequences.items[sequences.offsets[row] : sequences.offsets[row + 1]]
        ids = [source.item_ids[int(item) - 1].as_py() for item in whole]
        assert [item.id for item in user.history] == ids[:-1]  # leave-one-out: the last one is the truth
        [truth] = user.targets
        assert (truth.id, truth.rank) == (ids[-1], user.best_rank)
        assert [item.id for item in user.recommended] == lists[user.id]
        assert all(item.title == titles[item.id] for item in (*user.history, *user.recommended, truth))
        hits = [place for place, item in enumerate(user.recommended, 1) if item.hit]
        assert hits == ([truth.rank] if truth.rank <= 10 else [])


def test_long_histories_are_cut_and_lists_may_be_missing(source: Source, tmp_path: Path) -> None:
    assert max(len(user.history) for user in read_users(source, read_ranks(source), 300)) <= MOST_HISTORY
    workdir = shutil.copytree(source.workdir, tmp_path / "w")
    (workdir / BACKTEST).unlink()
    without = Source.open(workdir, None)
    assert [user.recommended for user in read_users(without, read_ranks(without), 2)] == [[], []]
    assert read_users(without, read_ranks(without), 0) == []


def test_a_list_with_an_unknown_item_is_refused(source: Source, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    workdir = shutil.copytree(source.workdir, tmp_path / "w")
    ranks = read_ranks(source)
    ids = [user.id for user in read_users(source, ranks, 2)]
    columns = [pa.array(ids), pa.array([["nothing"]] * 2), pa.array([[1.0]] * 2, pa.list_(pa.float32()))]
    pq.write_table(pa.table(columns, schema=LISTS_SCHEMA), workdir / BACKTEST)
    with pytest.raises(DataError, match=r"backtest.parquet: the list of '.*' names an item that the catalogue lacks"):
        read_users(Source.open(workdir, None), ranks, 2)
