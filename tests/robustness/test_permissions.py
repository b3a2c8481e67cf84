"""Who may read what a run leaves: files follow the umask, and a lack of permission is not taken for damage."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stages.artifacts.names import CODES, METRICS, MODEL_CONFIG, MODEL_WEIGHTS, SEQUENCES
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
