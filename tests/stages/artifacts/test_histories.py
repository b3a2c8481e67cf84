from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from whole_histories import write_histories

from stages.artifacts.errors import DataError
from stages.artifacts.histories import read_histories
from stages.artifacts.lineage import Lineage
from stages.artifacts.tables import write_table


def written(folder: Path, users: list[Any], items: list[Any], kind: pa.DataType | None = None) -> Path:
    """A table of these columns, which may have nulls."""
    path = folder / "histories.parquet"
    columns = {"user_id": pa.array(users, pa.string()), "items": pa.array(items, kind or pa.list_(pa.int32()))}
    write_table(path, pa.table(columns), Lineage("preprocess", {}, {}))
    return path


def test_histories_come_back_in_flat_arrays(tmp_path: Path) -> None:
    wanted = {"u": [3, 1, 3], "nothing": [], "v": [2]}
    found = read_histories(write_histories(tmp_path, wanted), items=3)
    assert found.users == 3
    assert found.user_ids.to_pylist() == list(wanted)
    assert (found.items.dtype, found.offsets.dtype) == (np.int32, np.int64)
    parts = [found.items[found.offsets[u] : found.offsets[u + 1]].tolist() for u in range(found.users)]
    assert parts == list(wanted.values())


def test_no_user_is_no_error(tmp_path: Path) -> None:
    found = read_histories(write_histories(tmp_path, {}))
    assert (found.users, found.items.tolist(), found.offsets.tolist()) == (0, [], [0])


def test_wider_types_of_other_tools_are_read(tmp_path: Path) -> None:
    found = read_histories(written(tmp_path, ["u", "v"], [[1], [2, 3]], pa.large_list(pa.int64())))
    assert found.items.dtype == np.int32
    assert (found.items.tolist(), found.offsets.tolist()) == ([1, 2, 3], [0, 1, 3])


@pytest.mark.parametrize(
    ("users", "items", "message"),
    [
        (["u", None], [[1], [2]], "column 'user_id' has nulls"),
        (["u", "v"], [[1], None], "column 'items' has nulls"),
        (["u", "v"], [[1], [2, None]], "column 'items' has null items"),
        (["u", "v", "w"], [[1], [2, 0], [1]], r"row 2: item 0 is not within 1\.\.3"),
        (["u", "v", "w"], [[1], [], [4]], r"row 3: item 4 is not within 1\.\.3"),
    ],
)
def test_what_breaks_the_contract_is_named(tmp_path: Path, users: list[Any], items: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=rf"histories\.parquet: .*{message}"):
        read_histories(written(tmp_path, users, items), items=3)


def test_columns_have_to_be_there(tmp_path: Path) -> None:
    path = tmp_path / "histories.parquet"
    write_table(path, pa.table({"user_id": ["u"]}), Lineage("preprocess", {}, {}))
    with pytest.raises(DataError, match="column 'items' is missing"):
        read_histories(path)
    with pytest.raises(DataError, match="column 'items' has type"):
        read_histories(written(tmp_path, ["u"], [1], pa.int32()))


def test_sequences_under_the_name_of_histories_are_refused(structured: Path) -> None:
    path = (structured / "sequences.parquet").rename(structured / "histories.parquet")
    with pytest.raises(DataError, match=r"histories\.parquet is a sequences\.parquet.*\nRun `cocorec preprocess`"):
        read_histories(path)
