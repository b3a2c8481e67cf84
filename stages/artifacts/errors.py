"""What can go wrong, by who has to act on it. The command line turns ``exit_code`` into its own."""

import errno


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


class ProcessError(CocorecError):
    """One of several processes that work together ended or does not answer (exit code 1)."""


class QualityError(CocorecError):
    """A metric below the bar that the user set (exit code 4)."""

    exit_code = 4


_NO_MEMORY = (
    "can't allocate memory",
    "cannot allocate memory",
    "std::bad_alloc",
    "memory allocation of",
    "failed to map segment",
)
_NO_THREAD = ("can't start new thread", "resource temporarily unavailable", "failed to spawn", "could not spawn")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was short, by the error's type, number or, for libraries that have neither, its words.

    Torch's own errors are told by their names because torch may not be imported here.
    """
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
        or _says(error, _NO_MEMORY)
    )


def is_out_of_threads(error: BaseException) -> bool:
    """Whether the system gave no further thread or process."""
    return (isinstance(error, OSError) and error.errno == errno.EAGAIN) or _says(error, _NO_THREAD)


def shortage(error: BaseException) -> BaseException | None:
    """The error that tells of too little memory or no thread: this one or one that led to it.

    A reader that is short of memory fails like one whose file is damaged; what it says then is about the machine.
    """
    cause: BaseException | None = error
    while cause is not None:
        if is_out_of_memory(cause) or is_out_of_threads(cause):
            return cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return None


def raise_shortage(error: BaseException) -> None:
    """Raise the error of too little memory or no thread that led to this one, if one did.

    To be called where an error is not passed on but taken for an answer, such as "damaged" or "to be made anew".
    """
    if (short := shortage(error)) is not None:
        raise short


def _says(error: BaseException, words: tuple[str, ...]) -> bool:
    """Whether an error of a library, none of our own, has some of the words."""
    if isinstance(error, CocorecError):
        return False  # it may quote data
    text = str(error).lower()
    return any(word in text for word in words)
