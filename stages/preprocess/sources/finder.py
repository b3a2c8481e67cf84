"""The files that the user names, looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stages.preprocess.sources.paths import Role, find_files
from stages.preprocess.sources.sample import Sample, take_sample


@dataclass(frozen=True)
class Finder:
    """How files are found.

    Attributes:
        workdir: the work directory, which keeps copies of remote files.
        max_bytes: a larger remote file is refused.
        tolerant: pass over malformed records at the beginning of a file.
    """

    workdir: Path
    max_bytes: int
    tolerant: bool

    def samples(self, named: Sequence[str | Path], role: Role) -> list[Sample]:
        """The files that ``named`` means (see :func:`find_files`), each looked at.

        Raises:
            UsageError: when a file is named twice.
            DataError: when a file is missing, damaged, or cannot be fetched.
        """
        return [take_sample(path, self.tolerant) for path in find_files(named, role, self.workdir, self.max_bytes)]
