"""Titles and genres of MovieLens."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from stages.artifacts.errors import UsageError
from stages.frame.reporter import Reporter
from stages.preprocess.items.item_table import ItemTable, Wanted
from stages.preprocess.items.readers.movielens import MOVIELENS
from stages.preprocess.items.text import PART_MARK
from stages.preprocess.sources.headerless import GENRES
from stages.preprocess.sources.sample import take_sample

Write = Callable[..., Path]


def flags(*genres: str) -> str:
    return "|".join("1" if genre in genres else "0" for genre in GENRES)


FILES = {
    "movies.csv": [
        "movieId,title,genres",
        "1,Toy Story (1995),Adventure|Comedy",
        "2,Nothing,(no genres listed)",
        "9,Other,Drama",
    ],
    "movies.dat": ["1::Toy Story (1995)::Adventure|Comedy", "2::Nothing::", "9::Other::Drama"],
    "u.item": [
        f"1|Toy Story (1995)|01-Jan-1995||http://x|{flags('Adventure', 'Comedy')}",
        f"2|Nothing||||{flags('unknown')}",
        f"9|Other||||{flags('Drama')}",
    ],
}


def read(path: Path, views: list[str]) -> ItemTable:
    return MOVIELENS.read([take_sample(path)], "movieId", views, Wanted(pl.Series(["1", "2"])), Reporter())


@pytest.mark.parametrize("name", FILES)
def test_titles_and_genres_of_every_release(write: Write, name: str) -> None:
    path = write(name, FILES[name])
    assert MOVIELENS.recognises(take_sample(path))
    table = read(path, ["genres", "title"])
    assert table.frame.columns == ["id", "genres", "title"]
    assert table.frame.row(0) == ("1", f"Adventure{PART_MARK}Comedy", "Toy Story (1995)")
    assert table.frame["title"].to_list() == ["Toy Story (1995)", "Nothing"]
    assert not table.frame["genres"][1]  # no genre is no text
    assert (table.unused, table.repeated) == (1, 0)


def test_views_are_title_and_genres_unless_others_are_wanted(write: Write) -> None:
    samples = [take_sample(write("u.item", FILES["u.item"]))]
    assert MOVIELENS.views(samples, "movieId", None) == ["title", "genres"]
    assert MOVIELENS.views(samples, "movieId", ["release_date", "title"]) == ["release_date", "title"]
    for view in ("movieId", "Drama"):
        with pytest.raises(UsageError, match=rf"no view '{view}'\nChoose from title, release_date, .*, genres;"):
            MOVIELENS.views(samples, "movieId", [view])
    assert read(samples[0].path, ["release_date"]).frame["release_date"][0] == "01-Jan-1995"


def test_other_files_are_not_recognised(write: Write) -> None:
    assert not MOVIELENS.recognises(take_sample(write("ratings.csv", ["userId,movieId,rating,timestamp", "1,2,3,4"])))
    assert not MOVIELENS.recognises(take_sample(write("movies.jsonl", [{"movieId": "1", "title": "t"}])))
