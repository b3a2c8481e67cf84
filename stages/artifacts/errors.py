"""What can go wrong, by who has to act on it. The command line turns ``exit_code`` into its own."""


class CocorecError(Exception):
    """A problem that the user can solve: what is wrong, where, and what to do about it.

    Args:
        message: one sentence that names the file, row, column or option.
        hint: what to do now; printed on a line of its own.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message if hint is None else f"{message}\n{hint}")
        self.message = message
        self.hint = hint


class UsageError(CocorecError):
    """An option or argument that does not fit (exit code 2)."""

    exit_code = 2


class DataError(CocorecError):
    """Input data or an artifact that cannot be used (exit code 3)."""

    exit_code = 3


class AccessError(DataError):
    """A file that is there, but that this user may not read (exit code 3)."""


class NotFiniteError(DataError):
    """Losses or scores that are NaN or infinite (exit code 3)."""


class QualityError(CocorecError):
    """A metric below the bar that the user set (exit code 4)."""

    exit_code = 4


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory was short. Also torch's own errors, told by their names because torch may not be imported here."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))
    )
