"""The formats of item metadata, one family of data sets a file."""

from stages.preprocess.items.item_table import ItemReader
from stages.preprocess.items.readers.amazon import AMAZON_2014, AMAZON_2018, AMAZON_2023
from stages.preprocess.items.readers.movielens import MOVIELENS
from stages.preprocess.items.readers.recbole import RECBOLE
from stages.preprocess.items.readers.table import TABLE

ITEM_READERS: tuple[ItemReader, ...] = (
    AMAZON_2023,
    AMAZON_2018,
    AMAZON_2014,
    MOVIELENS,
    RECBOLE,
    TABLE,
)
"""In the order in which they are tried: the most particular first, the one that takes any table last."""
