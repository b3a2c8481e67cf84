"""Where an artifact comes from: stage, version, options and the fingerprints of what it was made of."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stages import __version__
from stages.artifacts.atomic import read_json, require_file
from stages.artifacts.card import card_metadata
from stages.artifacts.digest import OPEN_DIGEST
from stages.artifacts.errors import DataError, raise_shortage
from stages.artifacts.fingerprints import Fingerprints
from stages.artifacts.json_text import json_text
from stages.artifacts.migration import FORMER_MAKERS, MADE_ANEW, current_options
from stages.artifacts.pipeline import MAKERS, again, stage_of

CONTRACT_VERSION = 2
"""Version of the files between the stages; a reader refuses files of a later one."""

KEY = "cocorec"
"""Name under which the lineage stands in a file's own metadata."""

_DEEPEST = 16
"""Levels of lists and objects in options and facts."""

RAW = "raw:"
"""Prefix of inputs that lie outside the work directory; they are named without their folder."""


@dataclass(frozen=True)
class Lineage:
    """What a file says about its own making.

    Attributes:
        stage: the stage that made it.
        options: the options that decide its content, as JSON values.
        inputs: fingerprints of what it was made from, by file name inside the work directory or ``raw:`` name.
        facts: what the stage reports of it (counts, shares); free of times, so that equal runs give equal bytes.
        version: version of cocorec that made it.
        contract: version of the file contract.
    """

    stage: str
    options: Mapping[str, Any]
    inputs: Mapping[str, str]
    facts: Mapping[str, Any] = field(default_factory=dict)
    version: str = __version__
    contract: int = CONTRACT_VERSION

    def to_json(self) -> str:
        """The lineage as one line of JSON: options and inputs sorted, facts in the order in which they are told."""
        ordered = {"options": dict(sorted(self.options.items())), "inputs": dict(sorted(self.inputs.items()))}
        return json_text({**vars(self), **ordered})

    def metadata(self) -> dict[str, Any]:
        """What goes under :data:`KEY` into a file: the lineage, and a place for the file's digest of itself."""
        return {**json.loads(self.to_json()), **OPEN_DIGEST}

    def metadata_text(self) -> str:
        """:meth:`metadata` as one line of JSON, for files whose metadata are texts."""
        return json_text(self.metadata())

    @classmethod
    def from_json(cls, text: str | bytes, path: Path) -> "Lineage":
        """Read what :meth:`to_json` or :meth:`metadata` gave from the file at ``path``.

        Raises:
            DataError: when the text is damaged or of a later contract than this version reads.
        """
        try:
            values = json.loads(text)
            lineage = cls(**{key: values[key] for key in cls.__dataclass_fields__})
            _check(lineage)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            hint = again(path) or "Run the stage that writes it again."
            raise DataError(f"{path}: damaged lineage ({error})", hint) from error
        if lineage.contract > CONTRACT_VERSION:
            raise DataError(
                f"{path}: written to version {lineage.contract} of the file contract by cocorec {lineage.version}; "
                f"this is cocorec {__version__}, which reads up to version {CONTRACT_VERSION}",
                f"Install cocorec {lineage.version} or later.",
            )
        if lineage.contract < CONTRACT_VERSION:
            return replace(lineage, options=current_options(lineage.stage, lineage.options))
        return lineage


def _check(lineage: Lineage) -> None:
    """Refuse a lineage that no stage wrote: what it says is used to find and to judge other files.

    Raises:
        ValueError: saying what is wrong.
    """
    kinds = {"stage": str, "options": dict, "inputs": dict, "facts": dict, "version": str, "contract": int}
    for name, kind in kinds.items():
        if not isinstance(getattr(lineage, name), kind):
            raise ValueError(f"{name} is no {kind.__name__}")
    for name, found in lineage.inputs.items():
        if not isinstance(found, str):
            raise ValueError(f"the fingerprint of {name!r} is no text")
        path = PurePosixPath(name.removeprefix(RAW))
        plain = name.isprintable() if not name.startswith(RAW) else "\0" not in name
        if path.is_absolute() or ".." in path.parts or not plain:
            raise ValueError(f"{name!r} is no name of an artifact")
    for told in (lineage.options, lineage.facts):
        _check_depth(told)


def _check_depth(value: Any, levels: int = _DEEPEST) -> None:
    """Refuse what nests deeper than anything that stages write, and than those who read it go down."""
    if isinstance(value, dict | list):
        if not levels:
            raise ValueError(f"it nests more than {_DEEPEST} levels")
        for each in value.values() if isinstance(value, dict) else value:
            _check_depth(each, levels - 1)


def read_lineage(path: Path) -> Lineage | None:
    """The lineage that a file carries, ``None`` for a file made by another tool.

    Reads the footer or header alone.

    Raises:
        DataError: when the file is missing, damaged, too new, or another stage's.
    """
    path = Path(path)
    require_file(path)
    text: str | bytes | None
    if path.suffix == ".parquet":
        text = _parquet_metadata(path).get(KEY.encode())
    elif path.suffix == ".safetensors":
        text = _safetensors_metadata(path).get(KEY)
    elif path.suffix == ".md":
        text = card_metadata(path)
    else:
        value = read_json(path)
        text = json.dumps(value[KEY]) if isinstance(value, dict) and KEY in value else None
    if text is None:
        return None
    lineage = Lineage.from_json(text, path)
    maker = stage_of(path)
    former = FORMER_MAKERS.get(path.name) if lineage.contract < CONTRACT_VERSION else None
    if maker and lineage.stage in MAKERS and lineage.stage not in (maker, former):
        raise DataError(
            f"{path} is a file that `cocorec {lineage.stage}` made, under the name of one that `cocorec {maker}` makes",
            f"Put the right file there, or run `cocorec {maker} --force`.",
        )
    return lineage


def require_consistent(workdir: Path, files: Iterable[str], fingerprints: Fingerprints) -> None:
    """Refuse files that do not belong together.

    Each file that carries a lineage must have been made from the very files that stand in the work directory
    now; of inputs that are absent (a machine that only trains needs no ``items.parquet``) all lineages must
    name the same. Files without lineage, made by other tools, are accepted.

    Raises:
        DataError: naming the two files and the stage to run.
    """
    workdir = Path(workdir)
    seen: dict[str, tuple[str, str]] = {}
    for file in files:
        lineage = read_lineage(workdir / file)
        for name, expected in (lineage.inputs if lineage else {}).items():
            if name.startswith(RAW):
                continue
            path = workdir / name
            if path.exists():
                actual, other = fingerprints.like(path, expected), f"the {name} that is there now"
            elif name in seen:
                actual, other = seen[name][0], f"the {name} that {seen[name][1]} was made from"
            else:
                seen[name] = (expected, file)
                continue
            if actual != expected:
                stage = stage_of(Path(file))
                raise DataError(
                    f"{workdir / file} was made from another {name} than {other}",
                    f"Run `cocorec {stage}` again." if stage else None,
                )


def fresh_lineage(
    workdir: Path,
    stage: str,
    options: Mapping[str, Any],
    inputs: Mapping[str, str],
    fingerprints: Fingerprints,
    without: Collection[str] = (),
) -> tuple[Lineage | None, str]:
    """Tell whether a stage need not run: all its outputs are there, of the same options and inputs.

    Args:
        workdir: the work directory.
        stage: the name of the stage.
        options: the options that it would run with.
        inputs: the fingerprints of what it would read; its own outputs are not among them.
        fingerprints: of the work directory.
        without: outputs that do not count.

    Returns:
        The lineage of the stage's first output, or ``None``, and in words why.
    """
    lineage: Lineage | None = None
    own: set[str] = set()
    outputs = [output for output in MAKERS[stage].outputs if output not in without]
    for output in outputs:
        path = Path(workdir) / output
        if not path.exists():
            return None, f"{output} is missing"
        try:
            found = read_lineage(path)
        except DataError as error:
            raise_shortage(error)
            return None, error.message
        if found is None:
            return None, f"{output} was made by another tool"
        reason = difference(found, options, _as_recorded(Path(workdir), found, inputs, fingerprints))
        if found.contract < CONTRACT_VERSION:
            reason = reason or MADE_ANEW.get(stage)
        if reason:
            return None, f"{output}: {reason}"
        lineage = lineage or found
        own |= set(found.inputs) & set(MAKERS[stage].outputs)
    if own:
        try:
            require_consistent(workdir, outputs, fingerprints)
        except DataError as error:
            raise_shortage(error)
            return None, error.message
    return lineage, "up to date"


def _as_recorded(
    workdir: Path, lineage: Lineage, inputs: Mapping[str, str], fingerprints: Fingerprints
) -> dict[str, str]:
    """The inputs by fingerprints of the kind that the lineage has, which may be of an earlier contract."""
    found = dict(inputs)
    for name in inputs.keys() & lineage.inputs.keys():
        if not name.startswith(RAW) and (workdir / name).exists():
            found[name] = fingerprints.like(workdir / name, lineage.inputs[name])
    return found


def difference(lineage: Lineage, options: Mapping[str, Any] | None, inputs: Mapping[str, str]) -> str | None:
    """In words, how what a file was made with differs from what it would be made with now; ``None`` if it does not.

    Inputs of the file that its own stage made, just before it, are not judged.
    """
    own = MAKERS[lineage.stage].outputs if lineage.stage in MAKERS else ()
    recorded = {name: found for name, found in lineage.inputs.items() if name in inputs or name not in own}
    if options is not None:
        wanted = json.loads(json_text(options))
        for key in sorted({*wanted, *lineage.options}):
            if wanted.get(key) != lineage.options.get(key):
                return f"option {key} was {lineage.options.get(key)!r}, is {wanted.get(key)!r}"
    for name in sorted({*inputs, *recorded}):
        if name not in inputs or name not in recorded:
            return f"made {'without' if name in inputs else 'with'} {name.removeprefix(RAW)}"
        if inputs[name] != recorded[name]:
            return f"{name.removeprefix(RAW)} has changed since"
    return None


def _parquet_metadata(path: Path) -> dict[bytes, bytes]:
    try:
        return pq.read_metadata(path).metadata or {}
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not a readable Parquet file: {error}", again(path)) from error


def _safetensors_metadata(path: Path) -> dict[str, str]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path} is not a readable safetensors file: {error}", again(path)) from error
