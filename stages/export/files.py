"""The folder of an export: finished beside its place, put there file by file, ``export.json`` last."""

import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.artifacts.atomic import put_in_place, temporary_prefix, write_json
from stages.artifacts.digest import fingerprint
from stages.artifacts.errors import DataError
from stages.artifacts.exported import MANIFEST, read_manifest
from stages.artifacts.lineage import KEY, difference, read_lineage
from stages.artifacts.names import (
    EXPORT_README,
    INDEX,
    ITEM_VECTORS,
    ONNX_ENCODER,
    PAIR_BIAS,
    TORCH_ENCODER,
    USER_VECTORS,
)
from stages.frame.run import StageRun

_FILES = {
    Path(name).name
    for name in (ITEM_VECTORS, USER_VECTORS, PAIR_BIAS, INDEX, TORCH_ENCODER, ONNX_ENCODER, EXPORT_README)
}
"""All files that an export may have."""

_TOLD = ("model", "items", "users", "dim", "max_history", "index", "differences")

_OPTION = "--output"


@dataclass(frozen=True)
class Staging:
    """Files that are not yet in their place.

    Attributes:
        folder: where they are made.
        target: where they belong.
        run: of the stage.
    """

    folder: Path
    target: Path
    run: StageRun

    def finish(self, manifest: dict[str, Any]) -> None:
        """Put every file in its place, take away those of an earlier export, and write ``export.json``.

        Whoever reads in between finds an ``export.json`` that the files do not agree with. ``manifest`` gains
        ``files``.

        Raises:
            OSError: when the file system refuses.
            DataError: when ``export.json`` cannot be written.
        """
        names = sorted(path.name for path in self.folder.iterdir())
        manifest["files"] = {
            name: {
                "bytes": (self.folder / name).stat().st_size,
                "sha256": fingerprint(self.folder / name).removeprefix("sha256:"),
            }
            for name in names
        }
        for name in names:
            put_in_place(self.folder / name, self.target / name)
        for name in _FILES - set(names):
            (self.target / name).unlink(missing_ok=True)
        facts = {name: value for name, value in manifest.items() if name != "files"}
        write_json(self.target / MANIFEST, {**manifest, KEY: self.run.lineage(facts).metadata()}, option=_OPTION)


@contextmanager
def staged(target: Path, run: StageRun) -> Iterator[Staging]:
    """A new folder beside the files of an export, gone when the block ends.

    Raises:
        DataError: when it cannot be written to; an export that is there already is untouched.
    """
    folder = target / f"{temporary_prefix('export')}{secrets.token_hex(6)}"
    try:
        target.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(target)
        folder.mkdir()
        yield Staging(folder, target, run)
    except OSError as error:
        raise DataError(
            f"cannot write in {target}: {error.strerror or error}",
            f"Make room, or choose a folder that can be written with {_OPTION}.",
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fresh_export(folder: Path, run: StageRun) -> dict[str, Any] | None:
    """The facts of an export of the same options and inputs whose files are all as they were written; else ``None``."""
    try:
        manifest = read_manifest(folder)
        lineage = read_lineage(folder / MANIFEST)
        if lineage is None or difference(lineage, run.recorded, run.inputs):
            return None
        for name, told in manifest["files"].items():
            if not (folder / name).is_file() or run.fingerprints.of(folder / name) != f"sha256:{told['sha256']}":
                return None
    except DataError:
        return None
    _remove_leftovers(folder)  # of a run that was killed when all its files were in place
    return told_of(manifest)


def _remove_leftovers(target: Path) -> None:
    """Delete the folders that killed runs left beside the files of an export."""
    for left in target.glob(f"{temporary_prefix('export')}*"):
        shutil.rmtree(left, ignore_errors=True)


def told_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What the command tells of a finished export."""
    facts = {name: manifest[name] for name in _TOLD if name in manifest}
    return {**facts, "files": {name: {"bytes": told["bytes"]} for name, told in manifest["files"].items()}}
