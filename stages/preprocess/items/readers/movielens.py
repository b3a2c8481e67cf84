"""The movies of MovieLens: ``u.item``, ``movies.dat`` and ``movies.csv``."""

from collections.abc import Sequence

import polars as pl

from stages.frame.reporter import Reporter
from stages.preprocess.items.item_table import ItemTable, Wanted, check_views
from stages.preprocess.items.readers.table import read_rows
from stages.preprocess.items.text import PART_MARK
from stages.preprocess.sources.headerless import GENRES
from stages.preprocess.sources.sample import Sample
from stages.preprocess.sources.scan import scan

_GENRES = "genres"
_NO_GENRE = ("(no genres listed)", "unknown")


class MovieLensItemReader:
    """Reads titles and genres; in ``u.item`` the genres are flags."""

    name = "movielens"
    summary = "movies of MovieLens: u.item, movies.dat or movies.csv"

    def recognises(self, sample: Sample) -> bool:
        """Whether the file has a movie's number and title."""
        return not sample.has_records and {"movieId", "title"} <= set(sample.columns)

    def views(self, samples: list[Sample], id_column: str, wanted: Sequence[str] | None) -> list[str]:
        """The wanted views, or title and genres.

        Raises:
            UsageError: when a wanted view does not exist.
        """
        columns = [name for name in samples[0].columns if name != id_column and name not in GENRES]
        return check_views(
            ("title", _GENRES) if wanted is None else wanted, list(dict.fromkeys([*columns, _GENRES])), samples
        )

    def read(
        self, samples: list[Sample], id_column: str, views: list[str], wanted: Wanted, reporter: Reporter
    ) -> ItemTable:
        """Read the texts of the wanted items.

        Raises:
            DataError: when a file is malformed, or none of the items is in it.
        """
        return read_rows(samples, id_column, views, _texts, wanted, reporter)


def _texts(sample: Sample, views: list[str]) -> pl.LazyFrame:
    flags = [name for name in GENRES if _GENRES in views and name in sample.columns]
    frame = scan(sample, [view for view in views if view in sample.columns] + flags)
    if _GENRES in sample.columns:
        genres = pl.col(_GENRES).replace(dict.fromkeys(_NO_GENRE)).str.replace_all("|", PART_MARK, literal=True)
    else:
        named = [pl.when(pl.col(name) == "1").then(pl.lit(name)) for name in flags if name not in _NO_GENRE]
        genres = pl.concat_str(named, separator=PART_MARK, ignore_nulls=True)
    return frame.select(genres.alias(view) if view == _GENRES else pl.col(view) for view in views)


MOVIELENS = MovieLensItemReader()
