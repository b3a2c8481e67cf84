"""The entry point of downloads."""

import shlex
from pathlib import Path
from typing import Any

from stages.artifacts.atomic import put_in_place
from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.lock import locked
from stages.artifacts.names import DOWNLOAD
from stages.download import amazon
from stages.download.base_url import check_base_url
from stages.download.manifest import Manifest, Record
from stages.download.options import BASE_URL, DownloadOptions
from stages.download.partial import Partial
from stages.download.transfer import Transfer
from stages.frame.http import NotThereError
from stages.frame.reporter import Reporter
from stages.frame.result import Result

_GIGABYTE = 10**9


def download(options: DownloadOptions, *, force: bool = False, reporter: Reporter | None = None) -> Result:
    """Fetch the benchmark files of a category and the metadata of its items.

    Files that are there already, and are still as they arrived, are not fetched again; partial files are continued.

    Args:
        options: at least ``dataset`` and ``category``.
        force: fetch all files from the beginning.
        reporter: is told about progress.

    Raises:
        UsageError: for options that do not fit, and for a category that does not exist.
        DataError: when a file cannot be fetched or written; what has arrived is kept.
    """
    dataset, category, kind, to = options.dataset, options.category, options.kind, options.to
    base_url = check_base_url(options.base_url)
    files = amazon.remote_files(category, kind)
    if base_url == BASE_URL and category not in amazon.CATEGORIES:
        raise UsageError(f"{category} is no category of {dataset} with 5-core files", amazon.categories_hint(category))
    folder = to or amazon.default_folder(category, kind)
    reporter = reporter or Reporter()
    left = int(options.max_size * _GIGABYTE)
    rows: list[dict[str, Any]] = []
    with locked(folder, f"download {dataset} {category}", option="--to"):
        manifest = Manifest(folder, {"dataset": dataset, "category": category, "kind": kind})
        if not force:
            _require_no_strangers(folder, files, manifest)
        for file in files:
            path = folder / file.name
            state = "verified"
            if force or not _is_there(path, manifest, reporter):
                transfer = Transfer(
                    f"{base_url}/{file.path}",
                    path,
                    most_bytes=left,
                    retries=options.retries,
                    timeout=options.timeout,
                    reporter=reporter,
                )
                if force:
                    Partial(path).forget()
                state = _fetch(transfer, path, manifest, category)
            else:
                Partial(path).forget()  # what a run left that was killed just before it would have done so
            record = manifest.records[file.name]
            left -= record.bytes
            rows.append({"file": file.name, "bytes": record.bytes, "sha256": record.sha256, "state": state})
    facts = {
        "dataset": dataset,
        "category": category,
        "kind": kind,
        "folder": str(folder),
        "files": rows,
        "bytes": sum(row["bytes"] for row in rows),
        "next": _next_command(folder, files),
    }
    outputs = {name: folder / name for name in (*(file.name for file in files), DOWNLOAD)}
    return Result("download", outputs, facts, skipped=all(row["state"] == "verified" for row in rows))


def _require_no_strangers(folder: Path, files: list[amazon.RemoteFile], manifest: Manifest) -> None:
    for file in files:
        if file.name not in manifest.records and (folder / file.name).exists():
            raise DataError(
                f"{folder / file.name} is there already, and {folder / DOWNLOAD} does not say where it came from",
                "Move it away or choose another folder with --to; --force replaces it.",
            )


def _is_there(path: Path, manifest: Manifest, reporter: Reporter) -> bool:
    if path.name not in manifest.records:
        return False
    difference = manifest.difference(path)
    if difference:
        reporter.warn(f"{path} {difference}; it is fetched again")
    return difference is None


def _fetch(transfer: Transfer, path: Path, manifest: Manifest, category: str) -> str:
    """Fetch a file into its place and record it; returns how, in a word."""
    try:
        fetched = transfer.run()
        origin = fetched.origin
        # Recorded first: a crash in between leaves a whole partial file, which the next run puts into its place.
        record = Record(origin.url, fetched.size, fetched.sha256, origin.etag, origin.last_modified)
        manifest.record(path.name, record)
        put_in_place(fetched.part, path)
        Partial(path).finished()
    except NotThereError as error:
        message = f"{category}: the server has no {error} (HTTP 404)"
        hint = f"{amazon.categories_hint(category)} --base-url names a mirror."
        raise (DataError if category in amazon.CATEGORIES else UsageError)(message, hint) from error
    except OSError as error:
        raise DataError(
            f"cannot write {path}: {error.strerror or error}",
            "Make room or choose another folder with --to; what has arrived is kept.",
        ) from error
    return "resumed" if fetched.resumed else "downloaded"


def _next_command(folder: Path, files: list[amazon.RemoteFile]) -> str:
    """What to type next; of a split the training file is enough, and the metadata stand last."""
    return shlex.join(["cocorec", "preprocess", str(folder / files[0].name), "--items", str(folder / files[-1].name)])
