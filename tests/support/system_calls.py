"""The file-system calls of a command, as ``strace`` tells them, and what a command leaves in its folder."""

import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

CHANGES = (
    "open",
    "openat",
    "openat2",
    "creat",
    "write",
    "writev",
    "pwrite64",
    "pwritev",
    "copy_file_range",
    "sendfile",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "rmdir",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "truncate",
    "ftruncate",
    "fallocate",
    "fsync",
    "fdatasync",
    "chmod",
    "fchmod",
    "fchmodat",
    "utimensat",
)
"""Calls that can change a file system; between two of them it is as the first one left it."""

_OPENING = {"open", "openat", "openat2"}
_CALL = re.compile(r"^(\d+)\s+(\w+)\((.*)")

VOLATILE = {".cocorec/lock", ".cocorec/fingerprints.json", "study.jsonl"}
"""Ends of the paths whose bytes differ between equal runs: process numbers, times of files, moments."""


@dataclass(frozen=True)
class Call:
    """One call.

    Attributes:
        name: of the system call.
        number: counting from 1 within its thread, those of this name.
        line: as it was told.
    """

    name: str
    number: int
    line: str

    @property
    def killing(self) -> list[str]:
        """Arguments of an ``strace`` that kills the process as it makes this call, which then has no effect."""
        return [*tracing(None), "-e", f"inject={self.name}:signal=KILL:when={self.number}"]


def tracing(log: Path | None) -> list[str]:
    """Arguments of an ``strace`` that writes the calls down."""
    calls = ",".join(f"?{name}" for name in CHANGES)  # not every machine knows all of them
    return ["-e", f"trace={calls}", "-e", "signal=none", "-y", "-s", "0", "-o", str(log or "/dev/null")]


def changing(log: Path, names: str) -> list[Call]:
    """The calls of a log that change something of ours, in their order.

    Args:
        log: what :func:`tracing` wrote.
        names: matches a part of the paths that are ours.
    """
    counts: Counter[tuple[str, str]] = Counter()
    found = []
    for line in log.read_text(errors="replace").splitlines():
        if not (match := _CALL.match(line)):
            continue
        thread, name, given = match.groups()
        counts[thread, name] += 1
        opening = name in _OPENING and not re.search(r"O_CREAT|O_TRUNC|O_TMPFILE", given)
        if re.search(names, given) and not opening:
            found.append(Call(name, counts[thread, name], line))
    return found


def why_not_traced() -> str:
    """Why processes cannot be traced here; empty where they can."""
    if not shutil.which("strace"):
        return "there is no strace (Debian: apt-get install strace)"
    done = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, text=True, check=False)
    return f"strace cannot trace here: {done.stderr.strip()}" if done.returncode else ""


def tree(folder: Path) -> dict[str, bytes | str]:
    """All below a folder by path: bytes of files, targets of links, and a word for folders and volatile files."""
    found: dict[str, bytes | str] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = f"link to {path.readlink()}"
        elif path.is_dir():
            found[name] = "a folder"
        else:
            found[name] = "volatile" if any(name.endswith(end) for end in VOLATILE) else path.read_bytes()
    return found
