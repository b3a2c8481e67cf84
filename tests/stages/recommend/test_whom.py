import numpy as np
import pyarrow as pa
import pytest
from whole_histories import write_histories

import stages.preprocess
from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.names import ITEMS
from stages.frame.run import StageRun
from stages.recommend import RecommendOptions
from stages.recommend.items import Items
from stages.recommend.whom import Served, find_served, users_file

HISTORIES = {"a": [1, 2, 3], "b": [4], "c": [5, 6], "d": [7, 8, 9]}


@pytest.fixture
def find(structured, said):
    """Finds who is served with some options, and hands on what was said."""
    write_histories(structured, HISTORIES)
    items = Items(structured / ITEMS, said)

    def find(histories=None, *, readers=stages.preprocess, **options):
        chosen = RecommendOptions(**options)
        run = StageRun("recommend", chosen, structured, said)
        return find_served(chosen, run, items, histories, {}, readers)

    return find


def lists_of(served):
    """The histories by user."""
    users = served.user_ids.to_pylist()
    return {user: served.part(place, place + 1)[0].tolist() for place, user in enumerate(users)}


def test_parts_begin_at_zero():
    users = pa.chunked_array([["a", "b", "c"]])
    served = Served(users, np.array([5, 6, 7, 8], np.int32), np.array([0, 1, 1, 4]), {})
    items, offsets = served.part(1, 3)
    assert (items.tolist(), offsets.tolist()) == ([6, 7, 8], [0, 0, 3])
    assert served.part(0, 0)[1].tolist() == [0]


def test_all_users_of_the_log(find):
    assert lists_of(find()) == HISTORIES


def test_some_users_in_the_order_of_the_log(find, said):
    found = find(users=("d", "x", "b", "d"))
    assert list(lists_of(found).items()) == [("b", HISTORIES["b"]), ("d", HISTORIES["d"])]
    assert found.offsets.tolist() == [0, 1, 4]
    assert found.facts == {"users_without_history": 1}
    assert said.warnings == ["--users: 1 of 3 have no history and get nothing, such as x"]
    with pytest.raises(DataError, match="--users: none of the 2 has a history, such as x, y"):
        find(users=("x", "y"))


def test_users_of_a_file(find, tmp_path):
    path = tmp_path / "vip.csv"
    path.write_text("c\na\n")
    assert users_file(RecommendOptions(users=(str(path),))) == path
    assert users_file(RecommendOptions(users=("c", str(path)))) is None
    assert lists_of(find(users=(str(path),))) == {"a": HISTORIES["a"], "c": HISTORIES["c"]}
    path.write_text("since,who\n2024,c\n")
    assert lists_of(find(users=(str(path),), user_column="who")) == {"c": HISTORIES["c"]}


def test_histories_from_outside(find, tmp_path, said):
    log = tmp_path / "log.csv"
    log.write_text("user_id,item_id,timestamp\nn,item-002,2\nn,item-000,1\nm,gone,1\n")
    found = find(log)
    assert lists_of(found) == {"n": [1, 3], "m": [0]}
    assert found.facts["interactions_with_unknown_items"] == 1
    assert any("--histories: 1 of 3 ids are not in the catalogue" in warning for warning in said.warnings)
    assert list(lists_of(find(log, users=("m",)))) == ["m"]
    with pytest.raises(UsageError, match="--histories needs the readers of preprocess"):
        find(log, readers=None)


def test_nobody_to_serve(find, structured):
    write_histories(structured, {})
    with pytest.raises(DataError, match=r"histories\.parquet holds no user"):
        find()
