import logging
from pathlib import Path

import pytest

from stages.artifacts import names
from stages.artifacts.errors import CocorecError, DataError, QualityError, UsageError
from stages.artifacts.pipeline import AFTERWARDS, MAKERS, PIPELINE, STAGES, stage_of
from stages.frame.reporter import Reporter


def test_every_input_is_made_by_an_earlier_stage() -> None:
    made: set[str] = set()
    for stage in PIPELINE:
        assert set(stage.inputs) <= made
        assert not made & set(stage.outputs)
        made |= set(stage.outputs)
    assert list(STAGES) == ["preprocess", "embed", "quantize", "train", "evaluate", "recommend"]


def test_what_is_made_afterwards_is_no_part_of_the_pipeline() -> None:
    assert list(MAKERS) == [*STAGES, "export"]
    made = {output for stage in PIPELINE for output in stage.outputs}
    for stage in AFTERWARDS:
        assert set(stage.inputs) <= made
        assert not made & set(stage.outputs)


def test_stage_of_a_file() -> None:
    assert stage_of(Path("/x") / names.CODES) == "quantize"
    assert stage_of(Path("w") / names.MODEL_WEIGHTS) == "train"
    assert stage_of(Path("reviews.jsonl")) is None


def test_exit_codes_and_messages() -> None:
    assert [kind.exit_code for kind in (CocorecError, UsageError, DataError, QualityError)] == [1, 2, 3, 4]
    error = DataError("what", "hint")
    assert (str(error), error.message, error.hint) == ("what\nhint", "what", "hint")
    assert str(UsageError("what")) == "what"


def test_reporter_writes_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "cocorec"):
        reporter = Reporter()
        reporter.info("said")
        reporter.warn("warned")
        with reporter.track("work", 3, "items") as advance:
            advance(3)
    assert [(r.levelname, r.message) for r in caplog.records] == [("INFO", "said"), ("WARNING", "warned")]
