"""RecBole's atomic files: one interaction per row, or a published split in three files."""

from stages.preprocess.logs.readers.benchmark import BenchmarkLogReader
from stages.preprocess.logs.readers.table import TableLogReader

RECBOLE = TableLogReader(
    "recbole",
    "atomic file of RecBole, one interaction per row (.inter)",
    item_columns=("item_id",),
    kinds=frozenset({"csv"}),
    typed=True,
)

RECBOLE_BENCHMARK = BenchmarkLogReader(
    "recbole-benchmark",
    "atomic files of RecBole with their split: NAME.train.inter, NAME.valid.inter, NAME.test.inter",
    extension="inter",
    item_column="item_id",
    history_column="item_id_list",
    typed=True,
)
