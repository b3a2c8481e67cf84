"""The files that the user names, looked at, and their fingerprints."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stages.artifacts.fingerprints import Fingerprints
from stages.artifacts.lineage import RAW
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


def raw_fingerprints(samples: Iterable[Sample], fingerprints: Fingerprints) -> dict[str, str]:
    """The fingerprint of each file under its name in the lineage; files of the same name are numbered."""
    raw: dict[str, str] = {}
    for sample in samples:
        name, number = RAW + sample.path.name, 2
        while name in raw:
            name, number = f"{RAW}{sample.path.name}#{number}", number + 1
        raw[name] = fingerprints.of(sample.path)
    return raw
