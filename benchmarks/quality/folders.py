"""Where runs lie, and whether they are finished.

RUNS/journal.jsonl                    what was run
RUNS/DATA/prepared/                   work directory: preprocess, embed, quantize
RUNS/DATA/ROW/seed-0/                 work directory: train; the prepared files are linked
RUNS/DATA/ROW/seed-0/{test,valid}/    work directory: evaluate, of one split; the model is linked
"""

import os
from pathlib import Path

from stages.artifacts.lineage import read_lineage
from stages.artifacts.names import CODES, EMBEDDINGS, ITEMS, MODEL_DIR, SEQUENCES
from stages.artifacts.pipeline import STAGES
from stages.artifacts.status import workdir_status
from stages.frame.options import Options

SPLITS = ("test", "valid")

_SHARED = (ITEMS, SEQUENCES, EMBEDDINGS, CODES)


def prepared_folder(runs: Path, data: str) -> Path:
    """The work directory of a data set."""
    return runs / data / "prepared"


def run_folder(runs: Path, data: str, row: str, seed: int) -> Path:
    """The work directory of a model."""
    return runs / data / row / f"seed-{seed}"


def link_run(prepared: Path, run: Path) -> None:
    """Make a run's folder, with links to what has been prepared."""
    run.mkdir(parents=True, exist_ok=True)
    for name in _SHARED:
        if (prepared / name).exists():
            _link(run / name, prepared / name)


def link_evaluation(run: Path, split: str) -> Path:
    """Make the folder of an evaluation of a run, with links to what it reads."""
    folder = run / split
    folder.mkdir(exist_ok=True)
    for name in (*_SHARED, MODEL_DIR):
        if (run / name).exists():
            _link(folder / name, run / name)
    return folder


def is_finished(workdir: Path, stage: str, options: Options) -> bool:
    """Whether a stage has been run with these options on the inputs that are there; nothing heavy is imported."""
    first = workdir / STAGES[stage].outputs[0]
    if not first.exists():
        return False
    states = [found.state for found in workdir_status(workdir) if found.stage == stage]
    lineage = read_lineage(first)
    return set(states) == {"fresh"} and lineage is not None and lineage.options == options.recorded()


def _link(path: Path, target: Path) -> None:
    # From the folder of the link, so that the runs may be moved as a whole.
    relative = Path(os.path.relpath(target.absolute(), path.parent.absolute()))
    if path.is_symlink() and path.readlink() == relative:
        return
    path.unlink(missing_ok=True)
    path.symlink_to(relative)
