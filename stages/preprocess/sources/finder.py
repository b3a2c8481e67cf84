"""The files that the user names, looked at."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from stages.preprocess.sources.paths import PassedOver, Role, find_files
from stages.preprocess.sources.preparation import Preparation
from stages.preprocess.sources.reading import Reading
from stages.preprocess.sources.sample import Sample, take_sample
from stages.preprocess.sources.scan import keys_of


@dataclass(frozen=True)
class Finder:
    """How files are found.

    Attributes:
        workdir: the work directory, which keeps copies of remote files.
        max_bytes: a larger remote file is refused.
        preparation: makes files ready for reading.
        passed_over: what lies in the folders that were named and is not read.
    """

    workdir: Path
    max_bytes: int
    preparation: Preparation
    passed_over: PassedOver = field(default_factory=PassedOver)

    def samples(self, named: Sequence[str | Path], role: Role, reading: Reading) -> list[Sample]:
        """The files that ``named`` means (see :func:`find_files`), each looked at.

        Args:
            named: by the user.
            role: what the files are to be.
            reading: what the user says of them.

        Raises:
            UsageError: when a file is named twice.
            DataError: when a file is missing, damaged, or cannot be fetched.
        """
        files = find_files(named, role, self.workdir, self.max_bytes, self.passed_over)
        return [take_sample(found.path, reading, found.folders) for found in files]

    def with_all_keys(self, sample: Sample) -> Sample:
        """A file of records with the keys of all of them; others as they are.

        Raises:
            DataError: when the file is damaged.
        """
        if not sample.has_records:
            return sample
        found = keys_of(self.preparation.ready(sample))
        return replace(sample, columns=found.columns)
