"""The formats of interaction logs, one family of data sets a file."""

from stages.preprocess.logs.log import LogReader
from stages.preprocess.logs.readers.amazon import (
    AMAZON_2014,
    AMAZON_2018,
    AMAZON_2023,
    AMAZON_2023_BENCHMARK,
    AMAZON_2023_RATINGS,
)
from stages.preprocess.logs.readers.movielens import MOVIELENS
from stages.preprocess.logs.readers.recbole import RECBOLE, RECBOLE_BENCHMARK
from stages.preprocess.logs.readers.table import TABLE

LOG_READERS: tuple[LogReader, ...] = (
    AMAZON_2023_BENCHMARK,
    AMAZON_2023,
    AMAZON_2023_RATINGS,
    AMAZON_2018,
    AMAZON_2014,
    MOVIELENS,
    RECBOLE_BENCHMARK,
    RECBOLE,
    TABLE,
)
"""In the order in which they are tried: the most particular first, the one that takes any table last."""
