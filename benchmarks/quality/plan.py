"""What is measured: data sets with their options, models with theirs, and seeds, from one TOML file."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from cocorec_cli.config import PRESETS
from stages.artifacts.errors import UsageError
from stages.embed import EmbedOptions
from stages.frame.options import Options, declarations
from stages.preprocess.options import PreprocessOptions
from stages.quantize import QuantizeOptions
from stages.train.options import TrainOptions

PREPARATION: dict[str, type[Options]] = {
    "preprocess": PreprocessOptions,
    "embed": EmbedOptions,
    "quantize": QuantizeOptions,
}
"""The stages that a data set may name, in their order."""

Values = Mapping[str, Any]


@dataclass(frozen=True)
class DataSet:
    """A data set and how it is prepared.

    Attributes:
        name: its folder below the runs.
        title: how the tables call it.
        folder: where its files lie, below the folder of all data sets.
        stages: the options of each stage that prepares it; a stage that is not named does not run.
        like: the data set whose vectors are taken over, since the texts are the same.
    """

    name: str
    title: str
    folder: str
    stages: Mapping[str, Values]
    like: str | None


@dataclass(frozen=True)
class Row:
    """A model and its options.

    Attributes:
        name: its folder below the data set's.
        title: how the tables call it.
        preset: of ``train``, below the options.
        train: the options of ``train`` that are no defaults.
        seeds: those that it is trained with.
        optional: it runs only where it is asked for by name.
        same_as: an earlier row with the same options, whose runs are taken.
    """

    name: str
    title: str
    preset: str | None
    train: Values
    seeds: tuple[int, ...]
    optional: bool
    same_as: str | None = None

    def options(self, seed: int) -> TrainOptions:
        """All options of ``train``."""
        return TrainOptions(**{**_preset(self.preset), **self.train, "seed": seed})

    def command(self, seed: int | None = None) -> list[str]:
        """The arguments of ``cocorec``, as a person would type them."""
        preset = [] if self.preset is None else ["--preset", self.preset]
        seeded = {} if seed is None else {"seed": seed}
        return ["train", *preset, *arguments(TrainOptions, {**self.train, **seeded})]


@dataclass(frozen=True)
class Plan:
    """All data sets and rows, and the row that the others are compared with."""

    data: Mapping[str, DataSet]
    rows: Mapping[str, Row]
    baseline: str


def arguments(options: type[Options], values: Values, folder: Path | None = None) -> list[str]:
    """Options as a command line has them.

    Args:
        options: that declare them.
        values: by name.
        folder: what paths are relative to.
    """
    placed, named = [], []
    for declared in declarations(options):
        if declared.name not in values:
            continue
        value = values[declared.name]
        texts = [str(one) for one in (value if declared.several else [value])]
        if declared.kind is Path and folder is not None:
            texts = [str(folder / text) for text in texts]
        if declared.option.argument:
            placed += texts
        elif declared.kind is bool:
            named.append(declared.flag if value else "--no-" + declared.flag.removeprefix("--"))
        elif declared.several and declared.option.separated and declared.kind is not Path:
            named += [declared.flag, ",".join(texts)]
        else:
            named += [part for text in texts for part in (declared.flag, text)]
    return [*placed, *named]


def read_plan(path: Path) -> Plan:
    """Read ``runs.toml``.

    Raises:
        UsageError: naming the table and key that does not fit.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}", "--plan takes a TOML file such as runs.toml.") from error
    _known(path, "", content, ("seeds", "baseline", "data", "rows"))
    data: dict[str, DataSet] = {}
    for name, table in content.get("data", {}).items():
        data[name] = _data_set(path, name, table, data)
    rows: dict[str, Row] = {}
    for name, table in content.get("rows", {}).items():
        rows[name] = _row(path, name, table, content.get("seeds", [0]), rows.values())
    baseline = content.get("baseline", next(iter(rows), None))
    if not data or baseline not in rows:
        raise UsageError(f"{path} needs [data.NAME], [rows.NAME], and baseline to be the name of a row")
    return Plan(data, rows, baseline)


def chosen(what: str, known: Sequence[str], wanted: str | None) -> list[str]:
    """The names in ``wanted``, separated by commas or spaces; all where it is empty.

    Raises:
        UsageError: for one that is not known.
    """
    names = (wanted or "").replace(",", " ").split()
    for name in names:
        if name not in known:
            raise UsageError(f"{what} {name!r} is unknown", f"Choose among {', '.join(known)}.")
    return names or list(known)


def _data_set(path: Path, name: str, table: Values, before: Mapping[str, DataSet]) -> DataSet:
    where = f"[data.{name}]"
    _known(path, where, table, ("title", "folder", "like", *PREPARATION))
    like = table.get("like")
    if like is not None and like not in before:
        raise UsageError(f"{path}: {where} like = {like!r} is no data set above it")
    base = before[like] if like else None
    stages: dict[str, Values] = {}
    for stage, options in PREPARATION.items():
        inherited = base.stages.get(stage) if base else None
        if stage not in table and inherited is None:
            continue
        stages[stage] = {**(inherited or {}), **table.get(stage, {})}
        _known(path, f"{where} {stage}", stages[stage], [declared.name for declared in declarations(options)])
        _accepted(path, f"{where} {stage}", options, stages[stage])
    if "preprocess" not in stages or not (base or "folder" in table):
        raise UsageError(f"{path}: {where} lacks preprocess or folder")
    folder = table.get("folder", base.folder if base else "")
    return DataSet(name, table.get("title", name), folder, stages, like)


def _row(path: Path, name: str, table: Values, seeds: Sequence[int], before: Any) -> Row:
    where = f"[rows.{name}]"
    _known(path, where, table, ("title", "preset", "train", "seeds", "optional"))
    train = table.get("train", {})
    _known(path, f"{where} train", train, [field.name for field in fields(TrainOptions) if field.name != "seed"])
    row = Row(
        name,
        table.get("title", name),
        table.get("preset"),
        train,
        tuple(table.get("seeds", seeds)),
        bool(table.get("optional", False)),
    )
    try:
        recorded = [row.options(seed).recorded() for seed in row.seeds]
    except UsageError as error:
        raise UsageError(f"{path}: {where}: {error.message}", error.hint) from error
    for other in before:
        if not other.same_as and [other.options(seed).recorded() for seed in other.seeds] == recorded:
            return Row(**{**vars(row), "same_as": other.name})
    return row


def _known(path: Path, where: str, table: Any, names: Sequence[str]) -> None:
    if not isinstance(table, Mapping):
        raise UsageError(f"{path}: {where} is no table")
    for key in table:
        if key not in names:
            raise UsageError(f"{path}: {where} {key!r} is unknown".replace("  ", " "), f"Known are {', '.join(names)}.")


def _accepted(path: Path, where: str, options: type[Options], values: Values) -> None:
    """Refuse values that the stage would refuse, before anything runs."""
    required = {field.name for field in fields(options) if field.default is MISSING and field.name not in values}
    try:
        options(**{**dict.fromkeys(required, ()), **values})
    except UsageError as error:
        raise UsageError(f"{path}: {where}: {error.message}", error.hint) from error


def _preset(name: str | None) -> Values:
    if name is None:
        return {}
    path = PRESETS / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in PRESETS.glob("*.toml")))
        raise UsageError(f"preset {name!r} is unknown", f"Known are {known}.")
    train: Values = tomllib.loads(path.read_text(encoding="utf-8"))["train"]
    return train
