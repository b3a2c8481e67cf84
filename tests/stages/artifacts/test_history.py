import pyarrow as pa

from stages.artifacts.history import history_table


def test_epochs_are_whole_numbers_and_the_rest_numbers():
    rows = [{"epoch": 1, "step": 4, "loss": 2}, {"epoch": 2, "step": 8, "loss": 1.5, "mrr": 0.25}]
    table = history_table(rows)
    assert table.schema.field("epoch").type == table.schema.field("step").type == pa.int64()
    assert table.schema.field("loss").type == table.schema.field("mrr").type == pa.float64()
    assert table.to_pylist() == [{"epoch": 1, "step": 4, "loss": 2.0, "mrr": None}, rows[1]]
