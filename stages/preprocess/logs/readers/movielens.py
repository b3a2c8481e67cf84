"""The ratings of MovieLens: ``u.data``, ``ratings.dat`` and ``ratings.csv``."""

from stages.preprocess.logs.readers.table import TableLogReader

MOVIELENS = TableLogReader(
    "movielens",
    "ratings of MovieLens: u.data, ratings.dat or ratings.csv",
    user_columns=("userId",),
    item_columns=("movieId",),
    needs=frozenset({"userId", "movieId"}),
)
