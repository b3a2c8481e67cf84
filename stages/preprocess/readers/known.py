"""The formats of logs with one interaction per row, each a :class:`~stages.preprocess.readers.table.TableReader`."""

from stages.preprocess.readers.table import TableReader

GENERIC = TableReader("table", "one interaction per row: CSV, TSV, JSON lines, Parquet, Arrow or Feather")

AMAZON_2023 = TableReader(
    "amazon-2023",
    "raw reviews of Amazon Reviews 2023 (JSON lines)",
    item_columns=("parent_asin",),
    needs=frozenset({"user_id", "parent_asin", "timestamp"}),
    kinds=frozenset({"jsonl"}),
)

AMAZON_2023_RATINGS = TableReader(
    "amazon-2023-ratings",
    "ratings without texts of Amazon Reviews 2023 (`rating_only`, CSV)",
    item_columns=("parent_asin",),
    needs=frozenset({"user_id", "parent_asin", "rating", "timestamp"}),
    kinds=frozenset({"csv"}),
)

_BEFORE_2023 = frozenset({"reviewerID", "asin", "unixReviewTime"})

AMAZON_2018 = TableReader(
    "amazon-2018",
    "reviews of Amazon Reviews 2018 (JSON lines)",
    user_columns=("reviewerID",),
    item_columns=("asin",),
    time_columns=("unixReviewTime",),
    rating_columns=("overall",),
    needs=_BEFORE_2023 | {"verified"},
    kinds=frozenset({"jsonl"}),
)

AMAZON_2014 = TableReader(
    "amazon-2014",
    "reviews of Amazon Reviews 2014 (JSON lines or Python dictionaries)",
    user_columns=("reviewerID",),
    item_columns=("asin",),
    time_columns=("unixReviewTime",),
    rating_columns=("overall",),
    needs=_BEFORE_2023,
    kinds=frozenset({"jsonl", "python"}),
)

MOVIELENS = TableReader(
    "movielens",
    "ratings of MovieLens: u.data, ratings.dat or ratings.csv",
    user_columns=("userId",),
    item_columns=("movieId",),
    needs=frozenset({"userId", "movieId"}),
    kinds=frozenset({"csv"}),
)

RECBOLE = TableReader(
    "recbole",
    "atomic file of RecBole, one interaction per row (.inter)",
    item_columns=("item_id",),
    kinds=frozenset({"csv"}),
    typed=True,
)
