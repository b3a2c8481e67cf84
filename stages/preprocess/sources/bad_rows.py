"""Malformed lines that are passed over, up to a number that the user allows."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from stages.artifacts.errors import DataError
from stages.preprocess.sources.preparation import Preparation
from stages.preprocess.sources.sample import Sample
from stages.preprocess.sources.scan import MalformedLineError, UnreadableError

Read = TypeVar("Read")
_SHOWN = 20


@dataclass
class BadRows:
    """What is allowed and what was found; files of one record per line only.

    Attributes:
        limit: how many malformed lines may be passed over, in all files together.
        preparation: makes the files ready.
        found: numbers of these lines from 1, by file name.
    """

    limit: int
    preparation: Preparation
    found: dict[str, list[int]] = field(default_factory=dict)
    _searched: set[str] = field(default_factory=set)

    def read(self, samples: list[Sample], reader: Callable[[list[Sample]], Read]) -> Read:
        """Read; if that fails, copy the records without the malformed ones and read again.

        Copying parses every line one at a time, so it is only done after a failure. What it takes and the engine does
        not, such as NaN or half an emoji, is no malformed line: the copy has it as the engine wants it.

        Raises:
            DataError: when there are more than allowed, or something else is wrong.
        """
        try:
            return reader([self.preparation.ready(sample) for sample in samples])
        except (MalformedLineError, UnreadableError) as error:
            self.mend(samples, error)
        return reader([self.preparation.ready(sample) for sample in samples])

    def mend(self, samples: list[Sample], error: DataError) -> None:
        """Copy the records without the malformed ones, after an error that reading them gave.

        Raises:
            DataError: the same, where a copy would be no better, or there are more malformed lines than allowed.
        """
        if isinstance(error, MalformedLineError) and not self.limit:
            raise error
        searched = [self._search(sample) for sample in samples if sample.has_records]
        if not any(searched):
            raise error

    def _search(self, sample: Sample) -> bool:
        """Copy a file without its malformed lines; whether that is new."""
        if str(sample.path) in self._searched:
            return False
        self._searched.add(str(sample.path))
        left = self.limit - sum(map(len, self.found.values()))
        numbers = self.preparation.without_malformed(self.preparation.ready(sample), left)
        if len(numbers) > left:
            raise DataError(
                f"{sample.path} has too many malformed lines: {listed(numbers)} and perhaps more; "
                f"--max-bad-rows allows {self.limit} in all files",
                "Correct the file, or allow more.",
            )
        if numbers:
            self.found[sample.path.name] = [*self.found.get(sample.path.name, []), *numbers]
        return True


def listed(numbers: list[int]) -> str:
    """Numbers for a message, a few of many."""
    more = f" and {len(numbers) - _SHOWN:,} more" if len(numbers) > _SHOWN else ""
    return ", ".join(map(str, numbers[:_SHOWN])) + more
