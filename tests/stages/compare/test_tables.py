from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from stages.artifacts.lineage import Lineage
from stages.compare.runs import Run
from stages.compare.tables import differences_from, side_by_side, slices_of

NAMES = ["recall@2", "mrr"]


def run(name: str, ranks: list[int], *, lengths=None, counts=None, facts=None, switched: bool = False) -> Run:
    """A run with a target for each user, the items 1, 2 and so on."""
    rows = len(ranks)
    told = None if facts is None else Lineage("evaluate", {}, {}, facts)
    users = pa.array([f"user-{row}" for row in range(rows)])
    lengths, counts = (None if of is None else np.array(of) for of in (lengths, counts))
    of = (users, np.arange(1, rows + 1), np.array(ranks), None, None, None, lengths, counts, told)
    return Run(name, Path(f"{name}.parquet"), *of, switched=switched)


def test_means_stand_before_the_measures_of_the_lists():
    one = run("one", [1, 2, 4], facts={"beyond_accuracy": {"coverage@10": 0.5}})
    two = run("two", [2, 2, 2], facts={"beyond_accuracy": {"coverage@10": 0.25, "gini@10": None}})
    turned = run("turned", [1, 1, 1], facts={"beyond_accuracy": {"coverage@10": 0.75}}, switched=True)
    runs = [one, two, turned]
    table = side_by_side(runs, {each.name: each.places for each in runs}, NAMES)
    assert [row["metric"] for row in table] == ["recall@2", "mrr", "coverage@10", "gini@10"]
    assert table[0]["values"] == pytest.approx({"one": 2 / 3, "two": 1.0, "turned": 1.0})
    assert table[1]["values"] == pytest.approx({"one": (1 + 1 / 2 + 1 / 4) / 3, "two": 0.5, "turned": 1.0})
    # Its lists are of the protocol that it was evaluated by, which is not the one that is compared.
    assert table[2]["values"] == {"one": 0.5, "two": 0.25, "turned": None}
    assert table[3]["values"] == {"one": None, "two": None, "turned": None}


def test_slices_by_length_and_popularity():
    groups = [{"from_interactions": start} for start in (0, 1, 5, 20)]
    one = run("one", [1, 2, 3, 4], lengths=[1, 5, 6, 30])
    two = run("two", [1, 2, 3, 4], counts=[0, 4, 20, 0], facts={"popularity_groups": groups})
    notes: list[str] = []
    found = [
        (labels["by"], labels["slice"], chosen.tolist()) for labels, chosen in slices_of([one, two], [5, 9], notes)
    ]
    assert found == [
        ("history length", "1-5", [True, True, False, False]),
        ("history length", "6-9", [False, False, True, False]),
        ("history length", "10+", [False, False, False, True]),
        ("item popularity", "unseen", [True, False, False, True]),
        ("item popularity", "cold", [False, True, False, False]),
        ("item popularity", "head", [False, False, True, False]),  # nothing in the tail
    ]
    assert notes == []


def test_what_no_run_tells_is_noted():
    notes: list[str] = []
    assert slices_of([run("one", [1]), run("two", [1], counts=[3])], [5], notes) == []
    assert notes == [
        "no run tells the lengths of the histories: no slices by history length",
        "no run tells the popularity of the targets: no slices by item popularity",
    ]


def test_differences_are_taken_from_the_reference_metric_by_metric():
    rng = np.random.default_rng(0)
    ranks = {"base": rng.integers(2, 9, 60), "same": None, "best": np.ones(60, int)}
    ranks["same"] = ranks["base"]
    where = {name: run(name, of.tolist()).places for name, of in ranks.items()}
    rows = differences_from(where, "base", NAMES, 200, 0)
    assert [(row["metric"], row["run"]) for row in rows] == [(m, name) for m in NAMES for name in ("same", "best")]
    for row in rows:
        assert row["difference"] == pytest.approx(row["mean"] - row["reference"])
        assert row["low"] <= row["difference"] <= row["high"]
        if row["run"] == "same":
            assert (row["low"], row["high"], row["p"]) == (0, 0, 1)
        else:
            assert row["low"] > 0
            assert row["p"] == pytest.approx(1 / 201)
    assert rows[3]["reference"] == pytest.approx((1 / ranks["base"]).mean())
    # What is said of a run does not depend on the others.
    assert differences_from({name: where[name] for name in ("base", "best")}, "base", NAMES, 200, 0) == rows[1::2]
