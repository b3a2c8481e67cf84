"""Every command killed as it changes the file system, then the same command again: the same files, the same bytes."""

import gzip
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from mirror import running
from system_calls import Call, changing, tracing, tree, why_not_traced

KILLED = -9
SAMPLE = 4
"""Kills of each command in the usual run of the tests."""

EVERY = int(os.environ.get("COCOREC_TEST_KILL_EVERY", "1"))
"""The crash tests take one call of so many."""

CATEGORY = "Video_Games"

COMMANDS = {
    "preprocess": ("preprocess", []),
    "embed": ("embed", []),
    "quantize": ("quantize", []),
    "train": ("train", []),
    "evaluate": ("evaluate", []),
    "recommend": ("recommend", []),
    "export": (
        "recommend",
        ["export", "--formats", "vectors,index,card", "--index", "hnsw", "--threads", "1", "--device", "cpu"],
    ),
    "tune": (
        "train",
        ["tune", "--search", "dropout=0.1:0.5", "--search", "layers=1,2", "--trials", "3", "--config", "tune.toml"],
    ),
    "embed --reuse": ("embed", ["--reuse", "{shop}/artifacts"]),
    "train --init-from": ("train", ["--init-from", "{shop}/artifacts"]),
    "recommend elsewhere": ("recommend", ["--output", "lists.jsonl"]),
    "report": ("recommend", ["report", "--resamples", "50"]),
    "similar": ("evaluate", ["similar", "--all", "--output", "near.csv", "--threads", "1", "--device", "cpu"]),
    "export elsewhere": ("recommend", ["export", "--formats", "index", "--output", "exported", "--device", "cpu"]),
    "run": ("evaluate", ["run", "--config", "options.toml", "--from", "evaluate"]),
    "evaluate --processes": ("evaluate", ["--processes", "2"]),
    "init": ("preprocess", ["init", "log.csv", "--items", "items.csv", "--output", "init.toml", "--force"]),
    "preprocess from a server": (
        "preprocess",
        ["preprocess", "{server}/log.csv", "--items", "{server}/items.csv", "--k-core", "0"],
    ),
    "download": ("preprocess", ["download", "amazon-2023", CATEGORY, "--base-url", "{server}", "--to", "fetched"]),
}
"""By name, the stage whose inputs a command needs, and its command line, or what is added to that of the stage."""

SELDOM = {"evaluate --processes", "export elsewhere"}
"""Left out of the usual run of the tests: each process imports all libraries; as `export` does."""

OURS = r"artifacts|best\.toml|init\.toml|lists\.jsonl|near\.csv|exported|fetched"
"""Matches a part of the paths that commands change."""

OPTIONS = """
[evaluate]
cutoffs = [5, 10]
resamples = 100
threads = 1
device = "cpu"

[recommend]
top = 20
threads = 1
device = "cpu"

[report]
resamples = 50
"""

CONFIGURATION = """
[train]
model = "sasrec"
dim = 16
ffn_dim = 32
max_history = 6
epochs = 2
batch_size = 64
threads = 1
device = "cpu"
"""


class Watched:
    """A command with the files that it leaves when nothing disturbs it.

    Args:
        name: in :data:`COMMANDS`.
        shop: the undisturbed run.
        warm: runs the command.
        arguments: the command line of each stage.
        server: the address of a server that has the files to fetch.
        folder: that does not exist.
    """

    def __init__(self, name, shop, warm, arguments, server, folder):
        self._stage, given = COMMANDS[name]
        given = [part.format(server=server, shop=shop.folder) for part in given]
        self._given = given if given and not given[0].startswith("-") else [*arguments[self._stage], *given]
        self._shop, self._warm = shop, warm
        log = folder.with_suffix(".log")
        ended = self.run(self.fresh(folder), tracing(log))
        assert ended.code == 0, ended.err
        self.expected = tree(folder)
        self.calls = changing(log, OURS)
        assert self.calls, log.read_text()[:2000]

    def fresh(self, folder: Path) -> Path:
        """A folder as it is before the command."""
        shutil.rmtree(folder, ignore_errors=True)
        self._shop.before(self._stage, folder)
        (folder / "tune.toml").write_text(CONFIGURATION)
        (folder / "options.toml").write_text(OPTIONS)
        return folder

    def run(self, folder: Path, strace=()):
        return self._warm(*self._given, cwd=folder, strace=strace)

    def kill(self, folder: Path, call: Call) -> bool:
        """Run it until that call; whether it came there."""
        ended = self.run(folder, call.killing)
        of_several = ended.code == 1 and "--processes" in self._given and "Traceback" not in ended.err
        assert of_several or ended.code in (0, KILLED), ended
        return ended.code != 0

    def finish(self, folder: Path, after: list[Call]) -> int:
        """Run it to its end and hold all files against those of the undisturbed run; how many were compared."""
        ended = self.run(folder)
        assert ended.code == 0, (after, ended.err)
        found = tree(folder)
        assert sorted(found) == sorted(self.expected), (after, sorted({*found} ^ {*self.expected}))
        assert [name for name in found if found[name] != self.expected[name]] == [], after
        return len(found)


@pytest.fixture(scope="module")
def server(shop) -> Iterator[str]:
    """The address of a server with the raw data of the undisturbed run and a small data set."""
    with running() as mirror:
        for name in ("log.csv", "items.csv"):
            mirror.files[name] = (shop.folder / name).read_bytes()
        rows = gzip.compress(mirror.files["log.csv"], mtime=0)
        for part in ("train", "valid", "test"):
            mirror.files[f"benchmark/5core/last_out_w_his/{CATEGORY}.{part}.csv.gz"] = rows
        mirror.files[f"raw/meta_categories/meta_{CATEGORY}.jsonl.gz"] = rows
        yield mirror.url


@pytest.fixture
def watched(request, shop, warm, arguments, server, tmp_path) -> Watched:
    if reason := why_not_traced():
        pytest.skip(reason)
    return Watched(request.param, shop, warm, arguments, server, tmp_path / "undisturbed")


@pytest.mark.parametrize(
    "watched", [pytest.param(name, marks=[pytest.mark.crash] * (name in SELDOM)) for name in COMMANDS], indirect=True
)
def test_killed_now_and_then(watched, tmp_path):
    """One folder, killed in one run after the other, so that all that they leave comes together."""
    folder = watched.fresh(tmp_path / "killed")
    step = len(watched.calls) / SAMPLE
    chosen = [watched.calls[int((number + 0.7) * step)] for number in range(SAMPLE)]
    killed = [call for call in chosen if watched.kill(folder, call)]
    assert killed
    watched.finish(folder, killed)


@pytest.mark.slow
@pytest.mark.crash
@pytest.mark.timeout(14_400)
@pytest.mark.parametrize("watched", COMMANDS, indirect=True)
def test_killed_at_every_call(watched, tmp_path, crash_counts):
    for call in watched.calls[::EVERY]:
        folder = watched.fresh(tmp_path / "killed")
        crash_counts["kills"] += watched.kill(folder, call)
        crash_counts["files compared"] += watched.finish(folder, [call])
    crash_counts["calls"] += len(watched.calls)
