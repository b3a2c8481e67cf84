"""Which artifacts of a work directory are fresh, stale, damaged or missing, and why."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from stages.artifacts.digest import has_digest
from stages.artifacts.errors import AccessError, DataError, raise_shortage
from stages.artifacts.fingerprints import Fingerprints
from stages.artifacts.lineage import CONTRACT_VERSION, RAW, Lineage, read_lineage
from stages.artifacts.migration import MADE_ANEW
from stages.artifacts.names import QUANTIZER
from stages.artifacts.pipeline import AFTERWARDS, PIPELINE, Stage
from stages.artifacts.verify import damaged_files, read_all

_RECOGNISED = ("format", "items_format")
"""Options whose ``auto`` is recorded as the format that was recognised."""

_FILES = ("inputs", "items", "histories", "candidates", "exclude")
"""Options recorded as the names of the files read: more than were named, where a folder or one part of a split was."""

_USERS = "users"
"""Option recorded as ids, or as the name of the file that holds them."""

NOT_COMPARED = "not compared"
"""Of inputs that lie outside of the work directory, nobody knows where."""

_FOR = {"quantize": ", for a model that reads codes"}
"""Of a stage that not every model needs, what it is for."""

State = Literal["fresh", "stale", "damaged", "unreadable", "missing"]


@dataclass(frozen=True)
class ArtifactStatus:
    """What is known of one artifact.

    Attributes:
        file: its name in the work directory.
        stage: the stage that makes it.
        state: ``fresh``, ``stale`` (its stage would make it anew), ``damaged`` (it is not what was written),
            ``unreadable`` (permission is lacking) or ``missing``.
        reason: why, in words.
        size: bytes, ``None`` where the file is missing.
        version: version of cocorec that made it, ``None`` where that is unknown.
        hint: what to do about it, where it is damaged.
    """

    file: str
    stage: str
    state: State
    reason: str
    size: int | None = None
    version: str | None = None
    hint: str | None = None


def workdir_status(
    workdir: Path,
    *,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    defaults: Mapping[str, Mapping[str, Any]] | None = None,
    raw_folders: Iterable[Path] = (),
    verify: bool = False,
) -> list[ArtifactStatus]:
    """The state of every artifact, in the order of the pipeline.

    Reads footers and headers; the content of a file is hashed only where it changed since it was last hashed.

    Args:
        workdir: the work directory; it need not exist.
        options: by stage, the options that are set. One that the artifact's lineage names as well and with
            another value makes the artifact stale; others, and ``None``, decide nothing.
        defaults: by stage, the options left at their defaults. They are held against the lineage likewise, but not
            where it records ``None``, for an option that did not matter.
        raw_folders: where inputs from outside the work directory may lie; those found there are compared.
        verify: hash every file again, held against the digest it carries, and read every page of every table; of
            what else lies below the work directory (checkpoints, searches, copies, caches) the damaged are told.
    """
    return _Examination(Path(workdir), options or {}, defaults or {}, list(raw_folders), verify).all()


class _Examination:
    def __init__(
        self,
        workdir: Path,
        options: Mapping[str, Mapping[str, Any]],
        defaults: Mapping[str, Mapping[str, Any]],
        raw_folders: list[Path],
        verify: bool,
    ) -> None:
        self._workdir = workdir
        self._options = options
        self._defaults = defaults
        self._raw_folders = raw_folders
        self._verify = verify
        self._fingerprints = Fingerprints(workdir, trust_cache=not verify)
        self._hashed: dict[tuple[Path, str], str] = {}
        self._stale: dict[str, str] = {}

    def all(self) -> list[ArtifactStatus]:
        found = []
        # First, since looking at the artifacts writes the cache anew.
        stages = [*PIPELINE, *self._made_afterwards()]
        others = self._others_damaged({file for stage in stages for file in stage.outputs}) if self._verify else []
        for stage in stages:
            statuses = [self._one(stage.name, file) for file in stage.outputs]
            self._stale.update({status.file: status.state for status in statuses if status.state != "fresh"})
            found += statuses
        return found + others

    def _made_afterwards(self) -> list[Stage]:
        """What is there of that which nobody misses."""
        there = [[file for file in stage.outputs if (self._workdir / file).exists()] for stage in AFTERWARDS]
        return [Stage(stage.name, stage.inputs, tuple(files)) for stage, files in zip(AFTERWARDS, there, strict=True)]

    def _one(self, stage: str, file: str) -> ArtifactStatus:
        path = self._workdir / file
        if not path.exists():
            return ArtifactStatus(file, stage, "missing", f"run `cocorec {stage}`{_FOR.get(stage, '')}")
        size = path.stat().st_size
        try:
            if self._verify:
                self._fingerprint(path)
            lineage = read_lineage(path)
            if self._verify:
                read_all(path)
        except AccessError as error:
            return ArtifactStatus(file, stage, "unreadable", error.message, size)
        except DataError as error:
            raise_shortage(error)
            return ArtifactStatus(file, stage, "damaged", error.message, size, hint=error.hint)
        if lineage is None:
            return ArtifactStatus(file, stage, "fresh", "made by another tool, taken as it is", size)
        reason = f"made by `cocorec {lineage.stage}` of version 1" if lineage.stage != stage else None
        reason = reason or self._option_difference(stage, lineage) or self._input_difference(lineage)
        if lineage.contract < CONTRACT_VERSION:
            reason = reason or MADE_ANEW.get(lineage.stage)
        state: State = "stale" if reason else "fresh"
        reason = reason or self._why_fresh(lineage)
        if self._verify and not has_digest(path):
            reason += "; older than digests, so only its pages could be verified"
        return ArtifactStatus(file, stage, state, reason, size, lineage.version)

    def _others_damaged(self, seen: set[str]) -> list[ArtifactStatus]:
        return [
            ArtifactStatus(
                name,
                stage,
                "unreadable" if isinstance(error, AccessError) else "damaged",
                error.message,
                (self._workdir / name).stat().st_size,
                hint=error.hint,
            )
            for name, stage, error in damaged_files(self._workdir, seen)
        ]

    def _option_difference(self, stage: str, lineage: Lineage) -> str | None:
        # Codebooks that were given decide what was left at its default.
        decided = any(_is_given_quantizer(name) for name in lineage.inputs)
        mattered = {name for name, value in lineage.options.items() if value is not None and not decided}
        left = {name: value for name, value in self._defaults.get(stage, {}).items() if name in mattered}
        for name, value in {**left, **self._options.get(stage, {})}.items():
            wanted = json.loads(json.dumps(value, default=str))
            if wanted is None or name not in lineage.options:
                continue
            if not _same_option(name, lineage.options[name], wanted):
                return f"option {name} was {_shown(lineage.options[name])}, is {_shown(wanted)}"
        return None

    def _input_difference(self, lineage: Lineage) -> str | None:
        for name, expected in lineage.inputs.items():
            path = self._find(name)
            try:
                if path is not None and self._fingerprint(path, expected) != expected:
                    return f"{name.removeprefix(RAW)} has changed since"
            except AccessError:
                return f"{name.removeprefix(RAW)} may not be read"
            except DataError as error:
                raise_shortage(error)
                return f"{name.removeprefix(RAW)} is damaged"
        for name in lineage.inputs:
            if self._stale.get(name) in ("stale", "damaged", "unreadable"):
                return f"{name} is {self._stale[name]}"
        return None

    def _why_fresh(self, lineage: Lineage) -> str:
        unseen = [name for name in lineage.inputs if self._find(name) is None]
        absent = [name for name in unseen if not name.startswith(RAW)]
        if absent:
            return f"not compared, because not here: {', '.join(absent)}"
        if not unseen:
            return "up to date"
        return f"up to date; {', '.join(name.removeprefix(RAW) for name in unseen)} {NOT_COMPARED}"

    def _find(self, name: str) -> Path | None:
        """Where the input lies now, ``None`` if it is not to be found."""
        if _is_given_quantizer(name):
            return None  # known by its tensors, not by its bytes
        folders = self._raw_folders if name.startswith(RAW) else [self._workdir]
        paths = (folder / name.removeprefix(RAW) for folder in folders)
        return next((path for path in paths if path.is_file()), None)

    def _fingerprint(self, path: Path, like: str = "") -> str:
        key = path, like.partition(":")[0]
        if key not in self._hashed:
            self._hashed[key] = self._fingerprints.like(path, like)
        return self._hashed[key]


def _is_given_quantizer(name: str) -> bool:
    return name.startswith(RAW) and name.endswith(Path(QUANTIZER).suffix)


def _same_option(name: str, recorded: Any, wanted: Any) -> bool:
    if name in _RECOGNISED and wanted == "auto":
        return True
    if name in _FILES and recorded is not None:
        files, known = (value if isinstance(value, list) else [value] for value in (wanted, recorded))
        return all(not Path(file).is_file() or Path(file).name in known for file in files)
    if name == _USERS and isinstance(wanted, list):
        return bool(recorded == [Path(user).name if Path(user).is_file() else user for user in wanted])
    return _same(recorded, wanted)


def _same(recorded: Any, wanted: Any) -> bool:
    """Folders are recorded by their names alone, and names with the organisation that they were short for."""
    if isinstance(recorded, str) and isinstance(wanted, str) and ("/" not in wanted or Path(wanted).is_dir()):
        return recorded.rpartition("/")[2] == Path(wanted).name
    return bool(recorded == wanted)


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
