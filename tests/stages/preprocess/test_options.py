"""What the options say against what the stage knows, and values that do not fit each other."""

from pathlib import Path
from typing import Any

import pytest

from stages.artifacts.errors import UsageError
from stages.preprocess.items.readers import ITEM_READERS
from stages.preprocess.logs.readers import LOG_READERS
from stages.preprocess.options import AUTO, ITEM_FORMATS, LOG_FORMATS, PreprocessOptions


def test_the_formats_are_those_of_the_readers() -> None:
    assert (AUTO, *(reader.name for reader in LOG_READERS)) == LOG_FORMATS
    assert (AUTO, *(reader.name for reader in ITEM_READERS)) == ITEM_FORMATS


def test_moments_may_be_numbers() -> None:
    numbers = PreprocessOptions(["log.csv"], since=1_600_000_000, until=5)
    assert numbers == PreprocessOptions(["log.csv"], since="1600000000", until="5")
    with pytest.raises(UsageError, match="--since expects text, got true"):
        PreprocessOptions(["log.csv"], since=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inputs": []}, "no input file is named"),
        ({"inputs": "log.csv"}, "expects several values, got the text 'log.csv'"),
        ({"k_core": "5"}, "--k-core expects a whole number, got the text '5'"),
        ({"sample_users": 0}, "--sample-users must be at least 1"),
        ({"max_bad_rows": -1}, "--max-bad-rows must be at least 0"),
        ({"valid_share": 0.1}, "belong to a temporal split"),
        ({"split": "temporal", "valid_share": 0.5, "test_share": 0.5}, "leave nothing for training"),
        ({"split": "temporal", "test_from": 5}, "needs both --valid-from and --test-from"),
    ],
    ids=str,
)
def test_values_that_do_not_fit(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        PreprocessOptions(**{"inputs": ["log.csv"], **options})


def test_what_the_lineage_records() -> None:
    recorded = PreprocessOptions([Path("log.csv")], max_size=1.0).recorded()
    assert "max_size" not in recorded  # it decides whether, not what
    assert "seed" not in recorded  # nothing is drawn
    assert PreprocessOptions(["log.csv"], sample_users=5, seed=3).recorded()["seed"] == 3
