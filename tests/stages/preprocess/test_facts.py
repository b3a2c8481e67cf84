"""What the stage reports."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from stages.artifacts.names import CODES, EMBEDDINGS
from stages.model.registry import MODELS, needed_files
from stages.preprocess.facts import TEXTLESS

Write = Callable[..., Path]
Run = Callable[..., Any]


def test_facts_by_hand(run: Run, write: Write) -> None:
    rows = ["user_id,item_id,timestamp"]
    rows += [f"u{u},{item},{time}" for u, items in enumerate(["abcd", "abc", "a"]) for time, item in enumerate(items)]
    facts = run(write("log.csv", rows), k_core=0).facts
    assert (facts["users"], facts["items"]) == (3, 4)
    assert facts["interactions"] == 8
    assert facts["density"] == round(8 / 12, 8)
    assert facts["history_length"] == {"mean": 2.6667, "min": 1, "p25": 1, "median": 3, "p75": 4, "p95": 4, "max": 4}
    assert [facts[f"{part}_interactions"] for part in ("train", "valid", "test")] == [4, 2, 2]
    assert facts["test_items_not_in_training"] == 2  # c and d


def test_the_models_that_read_no_texts_are_all_named():
    textless = [name for name in MODELS if not {EMBEDDINGS, CODES} & set(needed_files(name))]
    assert sorted(TEXTLESS.split(", ")) == sorted(textless)
