"""Which format files have: the one that the user names, or the first that recognises them."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from stages.artifacts.errors import DataError, UsageError
from stages.preprocess.options import AUTO
from stages.preprocess.sources.sample import Sample


class Format(Protocol):
    """What the readers of all formats have in common."""

    @property
    def name(self) -> str:
        """What the option calls it."""
        ...

    @property
    def summary(self) -> str:
        """The format in a few words."""
        ...

    def recognises(self, sample: Sample) -> bool:
        """Whether a file that begins like this is of the format."""
        ...


Reader = TypeVar("Reader", bound=Format)


def choose_reader(readers: Sequence[Reader], samples: list[Sample], format: str, option: str) -> Reader:
    """The reader of the named format, or with ``auto`` the first that recognises the files.

    Args:
        readers: in the order in which they are tried; the last takes any file.
        samples: the files, at least one.
        format: ``auto`` or the name of a reader.
        option: the option that holds ``format``, for messages.

    Raises:
        UsageError: when there is no such format.
        DataError: when the files are of different formats.
    """
    if format != AUTO:
        for reader in readers:
            if reader.name == format:
                return reader
        names = ", ".join(reader.name for reader in readers)
        raise UsageError(f"there is no format {format!r}", f"Choose {option} from {AUTO}, {names}.")
    chosen = [next(reader for reader in readers if reader.recognises(sample)) for sample in samples]
    if len({reader.name for reader in chosen}) > 1:
        found = ", ".join(f"{s.path.name}: {r.name}" for s, r in zip(samples, chosen, strict=True))
        raise DataError(
            f"the files are of different formats ({found})", f"Give files of one format at a time, or see {option}."
        )
    return chosen[0]
