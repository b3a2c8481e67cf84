"""The items' features as RecBole publishes them: ``.item`` and ``.text``."""

from stages.preprocess.items.readers.table import TableItemReader

RECBOLE = TableItemReader("recbole", "atomic file of RecBole with the items' features (.item, .text)", typed=True)
