import errno

import pytest

from stages.artifacts.errors import (
    AccessError,
    CocorecError,
    DataError,
    NotFiniteError,
    QualityError,
    UsageError,
    is_out_of_memory,
    is_out_of_threads,
    shortage,
)


def test_the_hint_stands_on_a_line_of_its_own() -> None:
    error = DataError("log.csv is empty", "Export it again.")
    assert str(error) == "log.csv is empty\nExport it again."
    assert (error.message, error.hint) == ("log.csv is empty", "Export it again.")
    assert str(DataError("log.csv is empty")) == "log.csv is empty"
    assert DataError("log.csv is empty").hint is None


def test_exit_codes_tell_who_has_to_act() -> None:
    kinds = (CocorecError, UsageError, DataError, AccessError, NotFiniteError, QualityError)
    assert [kind.exit_code for kind in kinds] == [1, 2, 3, 3, 3, 4]
    assert all(issubclass(kind, CocorecError) for kind in kinds)


class OutOfMemoryError(RuntimeError):
    """Called as that of torch is."""


@pytest.mark.parametrize(
    ("error", "memory", "threads"),
    [
        (MemoryError(), True, False),
        (OutOfMemoryError(), True, False),
        (OSError(errno.ENOMEM, "x"), True, False),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), True, False),
        (RuntimeError("STD::BAD_ALLOC"), True, False),
        (OSError(errno.EAGAIN, "x"), False, True),
        (RuntimeError("can't start new thread"), False, True),
        (OSError(errno.ENOENT, "x"), False, False),
        (ValueError("damaged"), False, False),
        (DataError("item 'std::bad_alloc, failed to spawn' is unknown"), False, False),
    ],
)
def test_what_is_short_is_told_by_type_number_or_words(error: Exception, memory: bool, threads: bool) -> None:
    assert (is_out_of_memory(error), is_out_of_threads(error)) == (memory, threads)
    assert shortage(error) is (error if memory or threads else None)


def caused(outer: Exception, inner: Exception, how: str) -> Exception:
    """``outer`` as it is after ``raise outer``, ``from inner`` or ``from None``, while ``inner`` was handled."""
    outer.__context__ = inner
    if how:
        outer.__cause__ = inner if how == "from" else None
    return outer


def test_a_shortage_is_found_behind_what_it_led_to() -> None:
    short = MemoryError()
    assert shortage(caused(DataError("damaged"), short, "from")) is short
    assert shortage(caused(DataError("damaged"), short, "")) is short
    assert shortage(caused(DataError("a"), caused(ValueError("b"), short, "from"), "")) is short
    assert shortage(caused(DataError("damaged"), short, "from None")) is None
    assert shortage(caused(DataError("a"), ValueError("b"), "from")) is None
