"""The journal of a search, cut as a kill would have left it."""

import shutil

from stages.artifacts.names import STUDY, TRIALS, TUNE_DIR
from stages.artifacts.tables import read_table
from stages.tune import TuneOptions, tune

SPACE = {"train": {"rate": {"low": 0.1, "high": 0.9}, "dim": [4, 8, 16], "heads": [1, 2]}}
OPTIONS = TuneOptions(trials=12, startup_trials=1, warmup_epochs=1)


def test_a_kill_between_any_two_lines_changes_no_trial(structured, training, tmp_path):
    """Twelve trials: two more than TPE draws before it learns, so that both ways of proposing are met."""
    tune(OPTIONS, workdir=structured, stages=training.stages, space=SPACE)
    expected = read_table(structured / TRIALS).to_pylist()
    assert {row["state"] for row in expected} == {"complete", "pruned"}
    lines = (structured / STUDY).read_bytes().splitlines(keepends=True)
    other = shutil.copytree(structured, tmp_path / "other")
    for kept in range(0, len(lines), max(1, len(lines) // 20)):
        shutil.rmtree(other / TUNE_DIR)
        (other / TUNE_DIR).mkdir()
        (other / STUDY).write_bytes(b"".join(lines[:kept]))
        tune(OPTIONS, workdir=other, stages=training.stages, space=SPACE)
        assert read_table(other / TRIALS).to_pylist() == expected, lines[max(0, kept - 1)]


def test_a_lock_that_was_being_given_up_is_cleared_away(structured, training):
    search = {"workdir": structured, "stages": training.stages, "space": SPACE}
    tune(TuneOptions(trials=1), **search)
    before = sorted(path.name for path in (structured / TUNE_DIR).rglob("*"))
    (structured / f"{STUDY}.lock7f3a.rename").symlink_to(structured / STUDY)
    (structured / TUNE_DIR / "trial-0000" / "run-0" / "model" / "checkpoint").mkdir(parents=True)
    tune(TuneOptions(trials=1), **search)
    found = sorted(path.name for path in (structured / TUNE_DIR).rglob("*") if path.name != "model")
    assert found == before
