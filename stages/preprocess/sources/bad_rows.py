"""Malformed lines that are passed over, up to a number that the user allows."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TypeVar

from stages.artifacts.errors import DataError
from stages.preprocess.sources.sample import Sample
from stages.preprocess.sources.scan import bad_records

Read = TypeVar("Read")
_SHOWN = 20


@dataclass
class BadRows:
    """What is allowed and what was found; files of one record per line only.

    Attributes:
        limit: how many malformed lines may be passed over, in all files together.
        found: numbers of these lines from 1, by file name.
    """

    limit: int
    found: dict[str, list[int]] = field(default_factory=dict)
    _skip: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def read(self, samples: list[Sample], reader: Callable[[list[Sample]], Read]) -> Read:
        """Read; if that fails, find the malformed lines and read again without them.

        Looking for them parses every line one at a time, so it is only done after a failure.

        Raises:
            DataError: when there are more than allowed, or something else is wrong.
        """
        try:
            return reader([self._without_known(sample) for sample in samples])
        except DataError:
            searched = [self._search(sample) for sample in samples if self.limit and sample.has_records]
            if not any(searched):
                raise
        return reader([self._without_known(sample) for sample in samples])

    def _without_known(self, sample: Sample) -> Sample:
        return replace(sample, skip=self._skip.get(str(sample.path), ()))

    def _search(self, sample: Sample) -> bool:
        """Find the malformed lines of a file; whether there are any that were not known."""
        if str(sample.path) in self._skip:
            return False
        left = self.limit - sum(map(len, self.found.values()))
        numbers = [number for number, _ in islice(bad_records(sample), left + 1)]
        if len(numbers) > left:
            raise DataError(
                f"{sample.path} has too many malformed lines: {listed(numbers)} and perhaps more; "
                f"--max-bad-rows allows {self.limit} in all files",
                "Correct the file, or allow more.",
            )
        self._skip[str(sample.path)] = tuple(number - 1 for number in numbers)
        if numbers:
            self.found[sample.path.name] = [*self.found.get(sample.path.name, []), *numbers]
        return bool(numbers)


def listed(numbers: list[int]) -> str:
    """Numbers for a message, a few of many."""
    more = f" and {len(numbers) - _SHOWN:,} more" if len(numbers) > _SHOWN else ""
    return ", ".join(map(str, numbers[:_SHOWN])) + more
