"""Who may read what a run leaves: files follow the umask, and a lack of permission is not taken for damage."""

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from system_calls import tree

from stages.artifacts.names import (
    CODES,
    EMBEDDINGS,
    HISTORIES,
    ITEMS,
    METRICS,
    MODEL_CONFIG,
    MODEL_WEIGHTS,
    RANKS,
    SEQUENCES,
)
from stages.evaluate import EvaluateOptions, evaluate
from stages.quantize import QuantizeOptions, quantize
from stages.train import TrainOptions, train

SMALL = {"dim": 16, "ffn_dim": 32, "text_dim": 8, "layers": 1, "device": "cpu"}


@pytest.fixture
def umask() -> Iterator[Callable[[int], None]]:
    before = os.umask(0)
    os.umask(before)
    yield os.umask
    os.umask(before)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory, make_structured: Callable[..., Path]) -> Path:
    workdir = make_structured(tmp_path_factory.mktemp("modes") / "w")
    train(TrainOptions(model="sasrec", epochs=1, **SMALL), workdir=workdir)
    evaluate(EvaluateOptions(resamples=10, device="cpu"), workdir=workdir)
    return workdir


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o002])
def test_all_files_follow_the_umask(make_structured, tmp_path, umask, mask):
    umask(mask)
    workdir = make_structured(tmp_path / "w")
    quantize(QuantizeOptions(levels=2, codebook_size=8), workdir=workdir)
    train(TrainOptions(model="sasrec", epochs=1, **SMALL), workdir=workdir)
    evaluate(EvaluateOptions(resamples=10, device="cpu"), workdir=workdir)
    files = [path for path in workdir.rglob("*") if path.is_file()]
    assert sum(path.suffix == ".safetensors" for path in files) >= 4
    assert {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in files} == {
        path.name: oct(0o666 & ~mask) for path in files
    }


def _as_somebody_else(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run cocorec without the capability to read files that are closed to it."""
    command = [sys.executable, "-m", "cocorec_cli", *arguments]
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("root reads everything, and setpriv is not there to take that away")
        kept = "-dac_override,-dac_read_search,-fowner"
        command = ["setpriv", f"--bounding-set={kept}", f"--inh-caps={kept}", *command]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)


def _closed(workdir: Path, name: str, folder: Path) -> Path:
    """A copy of a work directory in which a file may not be read."""
    copy = folder / "closed"
    shutil.copytree(workdir, copy)
    (copy / name).chmod(0)
    return copy


@pytest.mark.parametrize("name", [MODEL_WEIGHTS, MODEL_CONFIG, SEQUENCES])
def test_what_may_not_be_read_is_not_called_damaged(evaluated, tmp_path, name):
    workdir = _closed(evaluated, name, tmp_path)
    done = _as_somebody_else("evaluate", "-w", str(workdir), "--force", "--threads", "1")
    assert done.returncode == 3, done.stderr
    assert f"cannot read {workdir / name}: permission denied" in done.stderr
    assert "damaged" not in done.stderr
    assert "--force" not in done.stderr


@pytest.mark.parametrize("name", [MODEL_WEIGHTS, METRICS, CODES])
def test_status_tells_it_apart_from_damage(evaluated, tmp_path, name):
    workdir = _closed(evaluated, name, tmp_path)
    done = _as_somebody_else("status", "-w", str(workdir))
    assert done.returncode == 3, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.strip().startswith(f"{name} ")]
    assert "unreadable" in line and "permission denied" in line
    assert "damaged" not in done.stdout + done.stderr.replace("need not be damaged", "")
    assert f"no permission to read in {workdir}: {name}" in done.stderr


CLOSED = [
    ("log.csv", "preprocess"),
    ("items.csv", "preprocess"),
    ("log.csv", "init log.csv --items items.csv --output new.toml"),
    ("logs/more", "preprocess logs"),
    ("options.toml", "train --config options.toml"),
    (f"artifacts/{ITEMS}", "embed"),
    ("tiny", "embed"),
    ("tiny/config.json", "embed"),
    ("tiny/model.safetensors", "embed"),
    (f"artifacts/{EMBEDDINGS}", "quantize"),
    (f"artifacts/{SEQUENCES}", "train --epochs 6"),
    (f"artifacts/{CODES}", "train --epochs 6"),
    ("artifacts/model/checkpoint/last.safetensors", "train --epochs 6"),
    (f"artifacts/{MODEL_CONFIG}", "evaluate"),
    (f"artifacts/{MODEL_WEIGHTS}", "evaluate"),
    (f"artifacts/{HISTORIES}", "recommend"),
    ("stock.txt", "recommend --candidates stock.txt"),
    ("stock.txt", "recommend --users stock.txt"),
    ("again/artifacts/model/model.safetensors", "recommend --model-from again/artifacts"),
    ("again/artifacts/embeddings.parquet", "embed --views title --reuse again/artifacts"),
    ("again/artifacts/quantizer.safetensors", "quantize --codebooks again/artifacts/quantizer.safetensors"),
    ("again/artifacts/model/config.json", "train --epochs 6 --init-from again/artifacts"),
    (f"artifacts/{MODEL_CONFIG}", "similar i1 --device cpu"),
    (f"artifacts/{MODEL_WEIGHTS}", "export --formats vectors --device cpu"),
    (f"artifacts/{RANKS}", "compare again=artifacts twice=artifacts"),
    (f"artifacts/{METRICS}", "report --resamples 10"),
    (f"artifacts/{MODEL_CONFIG}", "serve --port 0 --device cpu"),
    (f"artifacts/{SEQUENCES}", "tune --search dropout=0.1:0.5 --trials 1 --output new.toml"),
    ("artifacts/tune/study.jsonl", "tune --search dropout=0.1:0.5 --trials 1 --output new.toml"),
    (f"artifacts/{ITEMS}", "run --config options.toml --from embed"),
    ("stock.txt", "run --config options.toml --from evaluate"),
    ("artifacts", "status"),
    ("artifacts", "evaluate"),
    ("artifacts/model", "evaluate"),
    ("artifacts/.cocorec", "evaluate"),
    ("artifacts/.cocorec/lock", "evaluate"),
]
"""What this user may not read, and a command that has to."""


@pytest.fixture
def folder(shop, tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(shop.folder, tmp_path / "shop"))
    (folder / "options.toml").write_text("[embed]\nmodel = 'tiny'\n[recommend]\ncandidates = 'stock.txt'\n")
    (folder / "stock.txt").write_text("i1\n")
    (folder / "logs/more").mkdir(parents=True)
    shutil.copy(folder / "log.csv", folder / "logs")
    shutil.copytree(shop.folder / "artifacts", folder / "again/artifacts")
    (folder / "artifacts/tune").mkdir()
    (folder / "artifacts/tune/study.jsonl").write_text("")
    return folder


@pytest.mark.parametrize(("closed", "command"), CLOSED)
def test_what_is_closed_is_named(closed, command, folder, warm, arguments):
    """By every command: with exit code 3, the name and what to do, and nothing is lost."""
    stage, *more = command.split()
    given = [*arguments.get(stage, [stage]), *more]
    given += ["--force"] * (stage in arguments and stage != "train" and "--reuse" not in more)
    before = tree(folder)
    mode = (folder / closed).stat().st_mode
    (folder / closed).chmod(0)
    try:
        ended = warm(*given, cwd=folder, after=60, unprivileged=True)
    finally:
        (folder / closed).chmod(mode)
    assert ended.code == 3, ended
    assert re.search(rf"{re.escape(closed)}\S*: permission denied", ended.err, re.IGNORECASE), ended.err
    assert re.search("^hint: Ask |choose a folder", ended.err, re.MULTILINE) and "Traceback" not in ended.err
    assert "damaged" not in ended.err.replace("need not be damaged", "")
    after = tree(folder)
    assert {name: after.get(name) for name in before} == before


def test_a_pattern_tells_of_folders_that_are_closed(folder, warm):
    """Where the files may be that it names."""
    (folder / "logs/more").chmod(0)
    ended = warm(
        "preprocess",
        "logs/**/*.csv",
        "--items",
        "items.csv",
        "--k-core",
        "0",
        "-w",
        "new",
        cwd=folder,
        unprivileged=True,
    )
    (folder / "logs/more").chmod(0o755)
    assert ended.code == 0, ended
    assert "passed over logs/more: permission denied to list the folder" in ended.err


WRITERS = [
    "init log.csv --items items.csv --output artifacts/new.toml",
    "export --formats vectors,card --device cpu",
    "report --resamples 10",
    "tune --search dropout=0.1:0.5 --trials 1 --output new.toml",
    "tune --search dropout=0.1:0.5 --trials 1 --output artifacts/new.toml -w again/artifacts",
    "similar i1 --device cpu --output artifacts/near.csv",
    "recommend --output artifacts/lists.jsonl -w again/artifacts",
    "download amazon-2023 Video_Games --base-url http://127.0.0.1:9 --to artifacts/fetched",
    "run --config options.toml --from evaluate",
]
READERS = ["status", "similar i1 --device cpu", "compare again=artifacts twice=artifacts"]


@pytest.fixture
def read_only(folder) -> Iterator[Path]:
    """The same with a work directory in which this user may not write."""
    below = [folder / "artifacts", *(folder / "artifacts").rglob("*")]
    for path in below:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield folder
    for path in below:
        path.chmod(0o755)


@pytest.mark.parametrize("command", WRITERS)
def test_a_folder_that_may_not_be_written_is_named(command, read_only, warm, arguments):
    """By what is no stage; stages: see test_disturbances."""
    before = tree(read_only)
    stage, *more = command.split()
    ended = warm(*arguments.get(stage, [stage]), *more, cwd=read_only, after=60, unprivileged=True)
    assert ended.code == 3, ended
    assert re.search(r"^error: cannot write (in )?artifacts\b", ended.err, re.MULTILINE), ended.err
    assert "hint: " in ended.err and "Traceback" not in ended.err
    after = tree(read_only)
    assert {name: after.get(name) for name in before} == before


@pytest.mark.parametrize("command", READERS)
def test_a_folder_that_may_not_be_written_can_be_read(command, read_only, warm):
    ended = warm(*command.split(), cwd=read_only, unprivileged=True)
    assert ended.code == 0, ended
