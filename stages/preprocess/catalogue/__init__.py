"""The formats of item metadata that are known, and how a file's format is recognised."""

from stages.artifacts.errors import DataError, UsageError
from stages.preprocess.catalogue.amazon import AMAZON_2014, AMAZON_2018, AMAZON_2023
from stages.preprocess.catalogue.base import CatalogueReader
from stages.preprocess.catalogue.movielens import MOVIELENS
from stages.preprocess.catalogue.table import RECBOLE, TABLE
from stages.preprocess.readers import AUTO
from stages.preprocess.sample import Sample

CATALOGUE_READERS: tuple[CatalogueReader, ...] = (
    AMAZON_2023,
    AMAZON_2018,
    AMAZON_2014,
    MOVIELENS,
    RECBOLE,
    TABLE,
)
"""In the order in which they are tried: the most particular first, the one that takes any table last."""


def choose_catalogue_reader(samples: list[Sample], format: str) -> CatalogueReader:
    """The reader of the given format, or with ``auto`` the first that recognises the files.

    Raises:
        UsageError: when there is no such format.
        DataError: when the files are of different formats.
    """
    if format != AUTO:
        for reader in CATALOGUE_READERS:
            if reader.name == format:
                return reader
        names = ", ".join(reader.name for reader in CATALOGUE_READERS)
        raise UsageError(f"there is no metadata format {format!r}", f"Choose from {AUTO}, {names}.")
    chosen = [next(reader for reader in CATALOGUE_READERS if reader.recognises(sample)) for sample in samples]
    if len({reader.name for reader in chosen}) > 1:
        found = ", ".join(f"{s.path.name}: {r.name}" for s, r in zip(samples, chosen, strict=True))
        raise DataError(f"the metadata files are of different formats ({found})", "Give files of one format.")
    return chosen[0]
