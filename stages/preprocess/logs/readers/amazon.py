"""Logs of Amazon Reviews 2014, 2018 and 2023: reviews, ratings, and the published splits of 2023."""

from stages.preprocess.logs.readers.benchmark import BenchmarkLogReader
from stages.preprocess.logs.readers.table import TableLogReader

AMAZON_2023_BENCHMARK = BenchmarkLogReader(
    "amazon-2023-benchmark",
    "benchmark files of Amazon Reviews 2023: NAME.train.csv, NAME.valid.csv, NAME.test.csv",
    extension="csv",
    item_column="parent_asin",
    history_column="history",
)

AMAZON_2023 = TableLogReader(
    "amazon-2023",
    "raw reviews of Amazon Reviews 2023",
    item_columns=("parent_asin",),
    needs=frozenset({"user_id", "parent_asin", "timestamp"}),
    kinds=frozenset({"jsonl", "python", "parquet", "arrow", "arrow-stream"}),
)

AMAZON_2023_RATINGS = TableLogReader(
    "amazon-2023-ratings",
    "ratings without texts of Amazon Reviews 2023 (`rating_only`, CSV)",
    item_columns=("parent_asin",),
    needs=frozenset({"user_id", "parent_asin", "rating", "timestamp"}),
    kinds=frozenset({"csv"}),
)

_BEFORE_2023 = frozenset({"reviewerID", "asin", "unixReviewTime"})

AMAZON_2018 = TableLogReader(
    "amazon-2018",
    "reviews of Amazon Reviews 2018",
    user_columns=("reviewerID",),
    item_columns=("asin",),
    time_columns=("unixReviewTime",),
    rating_columns=("overall",),
    needs=_BEFORE_2023 | {"verified"},
)

AMAZON_2014 = TableLogReader(
    "amazon-2014",
    "reviews of Amazon Reviews 2014",
    user_columns=("reviewerID",),
    item_columns=("asin",),
    time_columns=("unixReviewTime",),
    rating_columns=("overall",),
    needs=_BEFORE_2023,
)
