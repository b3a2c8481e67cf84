"""A pipeline that ran undisturbed, and the means to run its stages in processes that are disturbed."""

import csv
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from tiny import WORDS, save_tiny_model
from warm import WarmCli, warm_cli

from stages.artifacts.pipeline import PIPELINE, STAGES

ITEMS, USERS = 1_200, 300

ARGUMENTS = {
    "preprocess": ["log.csv", "--items", "items.csv", "--k-core", "0"],
    "embed": ["--model", "tiny", "--batch-tokens", "2048"],
    "quantize": ["--levels", "2", "--codebook-size", "16", "--text-dim", "8"],
    "train": [
        *("--model", "cocorec"),
        *("--dim", "16", "--text-dim", "8", "--ffn-dim", "32", "--fusion-ffn-dim", "32", "--layers", "1"),
        *("--fusion-layers", "1", "--epochs", "5", "--max-history", "6", "--batch-size", "64", "--warmup-steps", "5"),
        *("--threads", "1", "--device", "cpu"),
    ],
    "evaluate": ["--cutoffs", "5,10", "--resamples", "100", "--threads", "1", "--device", "cpu"],
    "recommend": ["--top", "20", "--threads", "1", "--device", "cpu"],
}
"""The command line of each stage, in order."""


@dataclass(frozen=True)
class Shop:
    """A folder with raw data, an encoder, and ``artifacts`` of all stages that ran undisturbed.

    Attributes:
        folder: that folder.
        seconds: how long each stage ran.
    """

    folder: Path
    seconds: dict[str, float]

    def before(self, stage: str, folder: Path) -> Path:
        """Make ``folder`` what this one was before a stage ran; returns it."""
        folder.mkdir()
        for name in ("log.csv", "items.csv", "tiny"):
            (folder / name).symlink_to(self.folder / name)
        for earlier in PIPELINE[: list(STAGES).index(stage)]:
            for name in earlier.outputs:
                (folder / "artifacts" / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(self.folder / "artifacts" / name, folder / "artifacts" / name)
        return folder

    def differing(self, stage: str, folder: Path) -> list[str]:
        """Files of a stage in another folder that are there and not those of the undisturbed run."""
        paths = [(folder / "artifacts" / name, self.folder / "artifacts" / name) for name in STAGES[stage].outputs]
        return [mine.name for mine, theirs in paths if mine.exists() and mine.read_bytes() != theirs.read_bytes()]

    def unlike(self, stage: str, folder: Path) -> list[str]:
        """Files of a stage in another folder that are missing or not those of the undisturbed run."""
        missing = [name for name in STAGES[stage].outputs if not (folder / "artifacts" / name).exists()]
        return missing + self.differing(stage, folder)


def leftovers(folder: Path) -> list[str]:
    """Temporary files below a folder."""
    return sorted(path.name for path in folder.rglob("*.tmp-*"))


@pytest.fixture(scope="session")
def leftover_files() -> Callable[[Path], list[str]]:
    """:func:`leftovers`."""
    return leftovers


@pytest.fixture(scope="session")
def arguments() -> dict[str, list[str]]:
    """:data:`ARGUMENTS`, each with the name of its stage in front."""
    return {stage: [stage, *given] for stage, given in ARGUMENTS.items()}


@pytest.fixture(scope="session")
def warm() -> Iterator[WarmCli]:
    """Runs ``cocorec`` in processes that can be killed."""
    with warm_cli() as run:
        yield run


def _write_log(folder: Path) -> None:
    rng = np.random.default_rng(3)
    with (folder / "items.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["item_id", "title", "brand"])
        for item in range(ITEMS):
            title, brand = (" ".join(rng.choice(WORDS, count)) for count in (44, 20))
            rows.writerow([f"i{item}", title if item % 50 else "", brand])
    with (folder / "log.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["user_id", "item_id", "timestamp"])
        for user in range(USERS):
            for step in range(8):
                rows.writerow([f"u{user}", f"i{(user * 4 + 7 * step) % ITEMS}", 1_700_000_000 + 1000 * user + step])


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory, warm: WarmCli, arguments: dict[str, list[str]]) -> Shop:
    """The undisturbed run."""
    folder = tmp_path_factory.mktemp("undisturbed")
    _write_log(folder)
    save_tiny_model(folder / "models").rename(folder / "tiny")
    seconds = {}
    for stage, given in arguments.items():
        done = warm(*given, cwd=folder)
        assert done.code == 0, done.err
        seconds[stage] = done.seconds
    return Shop(folder, seconds)


_counts: dict[str, Counter[str]] = {}


@pytest.fixture
def crash_counts(request: pytest.FixtureRequest) -> Counter[str]:
    """What a crash test has done, told at the end."""
    return _counts.setdefault(request.node.name, Counter())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what the crash tests have done, one by one and together."""
    if _counts:
        terminalreporter.write_sep("=", "crash tests")
        for name, counts in {**_counts, "together": sum(_counts.values(), Counter())}.items():
            told = ", ".join(f"{count:,} {what}" for what, count in counts.items())
            terminalreporter.write_line(f"{name}: {told}")
