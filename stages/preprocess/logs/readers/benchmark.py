"""Published splits in three files, NAME.train.EXT, NAME.valid.EXT and NAME.test.EXT, gzip or plain.

A row holds one target and, where there is a column of histories, the user's earlier items, oldest first, separated by
blanks; see ``histories``. Without such a column the order of the times is the order of events, or where there are none
the order of the rows. The published split is kept in all cases.

- Amazon Reviews 2023 publishes CSV: ``last_out_w_his`` and ``timestamp_w_his`` with histories, ``last_out`` and
  ``timestamp`` without.
- RecBole calls such atomic files ``benchmark_filename``. UniSRec and its successors publish numbers in them and the
  ids beside, in ``NAME.item2index`` and ``NAME.user2index``; where these files exist, the ids are put in.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from stages.artifacts.errors import DataError, UsageError
from stages.frame.reporter import Reporter
from stages.preprocess.columns import ID, ITEM, PART, ROW, TIME, USER
from stages.preprocess.logs.log import COUNT, Log, LogColumns, Notes, Rows, tell
from stages.preprocess.logs.readers.rebuild import HISTORY_COLUMN, rebuild
from stages.preprocess.logs.times import finish_times, quick_time
from stages.preprocess.sources.ids import doubtful, one_spelling
from stages.preprocess.sources.opened import COMPRESSED
from stages.preprocess.sources.sample import Sample, file_names, take_sample
from stages.preprocess.sources.scan import collect, require_rows, scan

_PARTS = ("train", "valid", "test")
_MAPS = {".item2index": ITEM, ".user2index": USER}
_INDEX = "index"
_ENDINGS = "|".join(map(re.escape, COMPRESSED))


@dataclass(frozen=True)
class BenchmarkLogReader:
    """Reads a published training, validation and test file as one log.

    Attributes:
        name: what ``--format`` calls it.
        summary: the format in a few words.
        extension: of the files.
        item_column, history_column: looked for when none is named.
        typed: whether the header names types.
    """

    name: str
    summary: str
    extension: str
    item_column: str
    history_column: str
    typed: bool = False

    def recognises(self, sample: Sample) -> bool:
        """Whether name and columns are those of a published split.

        A typed file with histories is one whatever its name: as single interactions it would be misread.
        """
        known = sample.kind == "csv" and sample.typed == self.typed
        if self.typed and known and self.history_column in sample.columns:
            return True
        return known and self._match(sample.path.name) is not None and self.item_column in sample.columns

    def _match(self, name: str) -> re.Match[str] | None:
        return re.fullmatch(rf"(?P<stem>.+)\.(?P<part>train|valid|test)\.{self.extension}(?P<gz>{_ENDINGS})?", name)

    def complete(self, samples: list[Sample]) -> list[Sample]:
        """The training, validation and test file that the given one belongs to.

        Raises:
            UsageError: when the files given do not belong together or are not named so.
            DataError: when a file beside them is missing.
        """
        stems = set()
        for sample in samples:
            match = self._match(sample.path.name)
            if match is None:
                raise UsageError(
                    f"{sample.path} is not named like NAME.train.{self.extension} or NAME.train.{self.extension}.gz",
                    "Name the files so, with NAME.valid and NAME.test beside, or choose another --format.",
                )
            stems.add((sample.path.parent, match["stem"], match["gz"] or ""))
        if len({stem[:2] for stem in stems}) > 1:
            raise UsageError(
                f"{', '.join(str(sample.path) for sample in samples)} belong to different splits",
                f"Give one NAME.train.{self.extension}; the validation and test files beside it are found.",
            )
        folder, stem, gz = min(stems)
        given = {sample.path: sample for sample in samples}
        paths = [_sibling(folder, f"{stem}.{part}.{self.extension}", gz, given) for part in _PARTS]
        found = [given[path] if path in given else take_sample(path, samples[0].reading) for path in paths]
        maps = [folder / (stem + suffix) for suffix in _MAPS] if self.typed else []
        return found + [_map_sample(path) for path in maps if path.is_file()]

    def resolve(self, samples: list[Sample], columns: LogColumns) -> LogColumns:
        """Name the columns that will be read.

        Raises:
            UsageError: when rows are to be filtered, which would break histories.
            DataError: when a file lacks a column.
        """
        if columns.rating_min is not None:
            raise UsageError(
                "--rating-min cannot be used with a published split, whose histories carry no ratings",
                "Start from the raw reviews or the `rating_only` file instead.",
            )
        if columns.where is not None:
            raise UsageError(
                "--where cannot be used with a published split, whose histories hold all of a user's items",
                "Start from the raw reviews or the `rating_only` file instead.",
            )
        user, item = columns.user or "user_id", columns.item or self.item_column
        time = columns.time or "timestamp"
        first, history = samples[0].columns, self.history_column
        for sample in samples[: len(_PARTS)]:
            sample.require(user, "--user-column")
            sample.require(item, "--item-column")
            if columns.time is not None or not (history in first or self.typed):
                sample.require(time, "--time-column")
            if history in first:
                sample.require(history, "--format table")
        return replace(columns, user=user, item=item, time=time if time in first else None)

    def read(self, samples: list[Sample], columns: LogColumns, reporter: Reporter) -> Log:
        """Read the three files and put each user's sequence together.

        Raises:
            DataError: when a file is malformed or the histories contradict each other.
        """
        parts = self.with_rows(samples)
        frames = [self.rows_of(number, samples, columns).frame for number in range(len(parts))]
        with reporter.track(f"reading {file_names(parts)}", unit="rows") as advance:
            rows = collect(pl.concat(frames), parts)
            advance(rows.height)
        require_rows(rows.height, parts)
        self.require_interactions(rows.height, rows.height, samples, columns)
        rows, scale = finish_times(rows, parts, columns.time, columns.time_format)
        items, dropped, notes = self.put_together(rows, samples, columns, False)
        tell(notes, reporter)
        found = {name: words for name in (USER, ITEM) if (words := doubtful(items[name]))}
        return Log(items, bool(items[TIME].count()), True, dropped, scale, found, rows.height)

    @property
    def published_split(self) -> bool:
        """The files are a split."""
        return True

    def with_rows(self, samples: list[Sample]) -> list[Sample]:
        """The training, validation and test file."""
        return samples[: len(_PARTS)]

    def rows_of(self, number: int, samples: list[Sample], columns: LogColumns) -> Rows:
        """The rows of the training (0), validation (1) or test file (2)."""
        return Rows(_rows(samples[number], columns, number, self.history_column))

    def require_interactions(self, rows: int, kept: int, samples: Sequence[Sample], columns: LogColumns) -> None:
        """Refuse files without a row.

        Raises:
            DataError: saying so.
        """
        if not rows:
            raise DataError(f"{samples[0].path} holds no interaction", "Download the file again.")

    def clean(
        self, frame: pl.DataFrame, samples: Sequence[Sample], columns: LogColumns
    ) -> tuple[pl.DataFrame, dict[str, int]]:
        """All rows: none is left out before its time is known."""
        return frame, {}

    def put_together(
        self, frame: pl.DataFrame, samples: list[Sample], columns: LogColumns, has_times: bool
    ) -> tuple[pl.DataFrame, dict[str, int], Notes]:
        """Put each user's sequence together, and the ids of numbers in.

        Raises:
            DataError: when histories contradict each other, or a number has no id.
        """
        rows, parts, maps = frame.with_row_index(ROW), self.with_rows(samples), samples[len(_PARTS) :]
        if self.history_column not in samples[0].columns:  # histories spell their items as the rows do
            rows = rows.with_columns(one_spelling(rows[USER]), one_spelling(rows[ITEM]))
        named = rows.drop_nulls([USER, ITEM]) if rows[USER].null_count() or rows[ITEM].null_count() else rows
        dropped = {"rows without a user or an item": rows.height - named.height}
        notes: Notes = {}
        if self.history_column in samples[0].columns:
            items, cut = rebuild(named, [sample.path for sample in parts])
            if cut:
                notes[f"the histories of {COUNT} users are cut in the files; their rows overlap and were joined"] = cut
        elif columns.time is None:
            items = named.sort(USER, PART, ROW).select(USER, ITEM, TIME, PART)
        else:
            timed = named.filter(pl.col(TIME).is_not_null())
            dropped["rows without a time"] = named.height - timed.height
            items = timed.sort(USER, PART, TIME, ROW).select(USER, ITEM, TIME, PART)
        for sample in maps:
            notes[f"{sample.path.name}: gives the ids of the numbers in the log"] = 0
            items = _with_ids(items, sample, _MAPS[sample.path.suffix])
        return items, dropped, notes


def _map_sample(path: Path) -> Sample:
    return Sample(path, "csv", (ID, _INDEX), "\t", header=False, names=(ID, _INDEX), quote=None, settled=True)


def _with_ids(items: pl.DataFrame, sample: Sample, column: str) -> pl.DataFrame:
    """Replace the numbers in ``column`` by the ids that a file of pairs gives them."""
    pairs = collect(scan(sample, [ID, _INDEX]), [sample])
    for name in (ID, _INDEX):
        twice = pairs[name].is_duplicated() | pairs[name].is_null()
        if twice.any():
            raise DataError(
                f"{sample.path}: line {twice.to_list().index(True) + 1}: {pairs[name].filter(twice)[0]!r} "
                "is there more than once or missing",
                "Every line has to hold an id, a tab and a number, each only once.",
            )
    joined = items.join(pairs, left_on=column, right_on=_INDEX, how="left", maintain_order="left")
    missing = joined.filter(pl.col(ID).is_null())
    if missing.height:
        raise DataError(
            f"{sample.path} has no line for {missing[column][0]!r}, which is in the log",
            "Give the file that belongs to the log, or move it away to keep the numbers.",
        )
    return joined.with_columns(pl.col(ID).alias(column)).select(items.columns)


def _sibling(folder: Path, name: str, gz: str, given: dict[Path, Sample]) -> Path:
    """The file of this name: the given one, else compressed like the given ones, else the other way."""
    choices = [folder / (name + suffix) for suffix in dict.fromkeys((gz, "", *COMPRESSED))]
    for path in [path for path in choices if path in given] + choices:
        if path.exists():
            return path
    raise DataError(
        f"{choices[0]} does not exist: a published split needs its training, validation and test file",
        "Put the missing file beside the others, or read one file alone with --format table.",
    )


def _rows(sample: Sample, columns: LogColumns, part: int, history_column: str) -> pl.LazyFrame:
    optional = [name for name in (columns.time, history_column) if name and name in sample.columns]
    frame = scan(sample, list(dict.fromkeys([str(columns.user), str(columns.item), *optional])))
    types = frame.collect_schema()
    history = pl.col(history_column).str.strip_chars() if history_column in optional else pl.lit(None, pl.String)
    return frame.select(
        pl.col(str(columns.user)).alias(USER),
        pl.col(str(columns.item)).alias(ITEM),
        *(
            quick_time(columns.time, types[columns.time], columns.time_format)
            if columns.time in optional
            else quick_time(None, None)
        ),
        history.fill_null("").alias(HISTORY_COLUMN),
        pl.lit(part, pl.Int8).alias(PART),
    )
