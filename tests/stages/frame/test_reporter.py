import logging

import pytest

from stages.frame.reporter import Reporter


def test_messages_go_to_the_log_by_their_weight(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "cocorec")
    reporter = Reporter()
    reporter.info("100 % of %s")
    reporter.warn("act")
    assert caplog.record_tuples == [("cocorec", logging.INFO, "100 % of %s"), ("cocorec", logging.WARNING, "act")]


def test_progress_and_epochs_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "cocorec")
    reporter = Reporter()
    with reporter.track("embedding title", 3, "texts") as advance, reporter.track("reading") as other:
        advance(2)
        other(1)
        advance(1)
    reporter.on_epoch(1, 0.5)
    assert not caplog.records


def test_an_error_goes_through_what_is_tracked() -> None:
    with pytest.raises(ValueError, match="broken"), Reporter().track("reading"):
        raise ValueError("broken")
