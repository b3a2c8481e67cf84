"""Facts that come from a file."""

from pathlib import Path

import pytest

from stages.artifacts.errors import DataError, QualityError
from stages.frame.result import facts_of_a_file


@pytest.mark.parametrize(
    "use",
    [
        lambda: {}["metrics"],
        lambda: float([]),
        lambda: float("x"),
        lambda: int(float("inf")),
        lambda: [].items(),
        lambda: f"{None:,}",
    ],
)
def test_facts_that_cannot_be_used_name_the_file(use) -> None:
    said = r"w/metrics\.json: its lineage does not report what"
    with pytest.raises(DataError, match=said) as raised, facts_of_a_file("evaluate", Path("w/metrics.json")):
        use()
    assert raised.value.hint == "Run `cocorec evaluate --force` to write it again."


def test_what_is_said_of_good_facts_passes() -> None:
    with pytest.raises(QualityError, match="below"), facts_of_a_file("evaluate", Path("w/metrics.json")):
        raise QualityError("below the bar")
