"""``export/export.json``: what an export is made of, and the checksums of files that have no place for a digest."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.artifacts.atomic import missing, read_json
from stages.artifacts.digest import check_digest, fingerprint
from stages.artifacts.errors import DataError
from stages.artifacts.lineage import KEY, read_lineage
from stages.artifacts.names import EXPORT

MANIFEST = Path(EXPORT).name
AGAIN = "Run `cocorec export --force`, which makes it anew."


def read_manifest(folder: Path) -> dict[str, Any]:
    """What ``export.json`` in a folder says: ``files`` by name with ``bytes`` and ``sha256``, and what they hold.

    Raises:
        DataError: when it is missing, damaged, or not one that ``cocorec export`` wrote.
    """
    path = Path(folder) / MANIFEST
    content = read_json(path)
    lineage = read_lineage(path) if isinstance(content, dict) and KEY in content else None
    if lineage is None or lineage.stage != "export" or not _names_files(content.get("files")):
        raise DataError(f"{path} is not the description of an export", "Name a folder that `cocorec export` made.")
    return dict(content)


def _names_files(files: Any) -> bool:
    return isinstance(files, Mapping) and all(
        isinstance(told, Mapping)
        and isinstance(told.get("sha256"), str)
        and isinstance(told.get("bytes"), int)
        and Path(name).name == name
        for name, told in files.items()
    )


def require_listed(folder: Path, manifest: Mapping[str, Any], name: str) -> str:
    """The SHA-256, 64 digits, that an export says a file has.

    Raises:
        DataError: when the export has no such file.
    """
    told = manifest["files"].get(name)
    if told is None:
        raise DataError(f"{Path(folder) / MANIFEST} lists no {name}: it was not exported", "Export it: --formats.")
    return str(told["sha256"])


def not_as_listed(path: Path) -> DataError:
    """The error for a file that is not the one its export was finished with: half-written, damaged or replaced."""
    return DataError(
        f"{path} is not the file that {path.with_name(MANIFEST)} describes: half-written, damaged or replaced", AGAIN
    )


def check_exported(path: Path) -> None:
    """Hold a file of an export against what ``export.json`` beside it says; files that it does not name pass.

    Raises:
        DataError: when it is not what was written, or ``export.json`` itself is damaged.
        OSError: when it cannot be read.
    """
    path = Path(path)
    check_digest(path)
    if path.name == MANIFEST:
        read_manifest(path.parent)
        return
    try:
        files = read_manifest(path.parent)["files"]
    except DataError as error:
        raise DataError(f"{path} cannot be verified: {error.message}", AGAIN) from error
    if path.name not in files:
        return
    if not path.exists():
        raise missing(path)
    if fingerprint(path) != f"sha256:{files[path.name]['sha256']}":
        raise not_as_listed(path)
