"""Files made ready for the engine: unpacked, in UTF-8, in a dialect that it knows; malformed records left out.

Copies lie in the work directory and go when the run is over.
"""

import secrets
import shutil
import time
import weakref
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pyarrow as pa

from stages.artifacts.errors import DataError
from stages.preprocess.sources.escaped import NotInDialectError
from stages.preprocess.sources.opened import open_bytes, recoded
from stages.preprocess.sources.records import MALFORMED, PARSERS, plain_json
from stages.preprocess.sources.sample import BOM, Sample
from stages.preprocess.sources.survey import rows_of_text, survey

FOLDER = ".cocorec/reading"
"""Folder of the copies in the work directory."""

_CHUNK = 8 << 20
_ROWS = 20_000
_OLD = 24 * 3600


class Preparation:
    """Makes files ready, each once, and remembers the copies.

    Args:
        workdir: the work directory; what a killed run left there is removed after a day.
    """

    def __init__(self, workdir: Path) -> None:
        _remove_old(workdir / FOLDER)
        self._folder = workdir / FOLDER / secrets.token_hex(8)  # several commands may read at a time
        self._known: dict[Path, Sample] = {}
        self._copies = 0
        self._end = weakref.finalize(self, _remove, self._folder)

    def close(self) -> None:
        """Remove the copies."""
        self._end()

    def ready(self, sample: Sample) -> Sample:
        """The sample of a file that the engine can read.

        Raises:
            DataError: when the file is damaged, or its dialect is not known.
        """
        if sample.path not in self._known:
            made = self._unpacked(sample) if sample.copied else sample
            if made.has_records:
                made = replace(made, rows=_count_records(made))
            if made.kind == "csv" and not made.is_old_movielens:
                made, as_it_is = survey(made)
                made = made if as_it_is else self._as_table(made)
            self._known[sample.path] = made
        return replace(self._known[sample.path], columns=sample.columns)

    def without_malformed(self, sample: Sample, allowed: int) -> list[int]:
        """Copy the records of a file but for the malformed ones, so that the engine can read all of them.

        Line numbers stay: a malformed record becomes an empty line.

        Args:
            sample: as :meth:`ready` gave it.
            allowed: how many malformed records are left out.

        Returns:
            The numbers of the malformed lines, from 1; when they are more than allowed, one more than that, and no copy
            is made.
        """
        parse, found, good = PARSERS[sample.kind], [], 0
        copy = self._new(".jsonl")
        with open_bytes(sample.source) as file, copy.open("wb") as to:
            for number, line in enumerate(file, 1):
                text = b""
                if line.strip():
                    try:
                        text = plain_json(parse(line.removeprefix(BOM) if number == 1 else line)).encode()
                        good += 1
                    except MALFORMED:
                        found.append(number)
                        if len(found) > allowed:
                            return found
                to.write(text + b"\n")
        self._known[sample.path] = replace(sample, kind="jsonl", data=copy, bom=False, rows=good)
        return found

    def _new(self, ending: str) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._copies += 1
        return self._folder / f"{self._copies}{ending}"

    def _unpacked(self, sample: Sample) -> Sample:
        copy = self._new("")
        with open_bytes(sample.path) as file, copy.open("wb") as to:
            coded = sample.encoding != "utf-8" or sample.old_line_ends
            text = recoded(file, sample.encoding, sample.old_line_ends) if coded else file
            shutil.copyfileobj(text, to, _CHUNK)
        return replace(sample, data=copy)

    def _as_table(self, sample: Sample) -> Sample:
        """The rows of a text table as an Arrow file of strings."""
        copy = self._new(".arrow")
        width = len(sample.names)
        schema = pa.schema([(f"{number}", pa.large_string()) for number in range(width)])
        rows = (fields for _, fields in rows_of_text(sample))
        try:
            with pa.ipc.new_file(str(copy), schema) as writer:
                while block := list(islice(rows, _ROWS)):
                    full = [[*fields, *[None] * (width - len(fields))] for fields in block]
                    columns = [[row[number] or None for row in full] for number in range(width)]
                    writer.write_batch(pa.record_batch([pa.array(c, pa.large_string()) for c in columns], schema))
        except NotInDialectError as error:
            raise DataError(f"{sample.path}: {error}", "See --separator, --quote and --escape.") from error
        return replace(sample, table=copy)


def _count_records(sample: Sample) -> int:
    """How many lines of a file of records are not blank, counted apart from the reader."""
    count = 0
    with open_bytes(sample.source) as file:
        while lines := file.readlines(_CHUNK):
            count += sum(1 for line in lines if line.strip())
    return count


def _remove_old(folder: Path) -> None:
    """Remove what runs left that were killed; others may be reading what is new."""
    with suppress(OSError):
        for left in folder.iterdir():
            if time.time() - left.stat().st_mtime > _OLD:
                shutil.rmtree(left, ignore_errors=True)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        folder.parent.rmdir()
