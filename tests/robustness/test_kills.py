"""``kill -9`` at random moments of each stage, then the same command again."""

import json
import random
import shutil

import pytest
from safetensors import safe_open

from stages.artifacts.names import CHECKPOINT_DIR, SEQUENCES
from stages.artifacts.pipeline import STAGES

SEED = 20_251_104
KILLED = -9


class Disturbed:
    """One stage that is killed again and again.

    Args:
        stage: its name.
        shop: the undisturbed run.
        warm: runs the command.
        given: the command line.
        folder: a folder that does not exist.
        seed: of the moments.
    """

    def __init__(self, stage, shop, warm, given, folder, seed):
        self.stage, self.shop, self.warm, self.given, self.folder = stage, shop, warm, given, folder
        self.random = random.Random(f"{seed}/{stage}")
        self.about = f"{stage}, seed {seed}"
        self.kills = self.continued = 0
        self.epochs_kept = 0
        shop.before(stage, folder)

    def kill(self):
        """Kill a run at a random moment; a run that ends before that is checked, and the next one starts anew."""
        after = self.random.uniform(0, self.shop.seconds[self.stage])
        done = self._run(after)
        if done.code == KILLED:
            self.kills += 1
            # What is there under its own name is whole, and was there before or is what it will be in the end.
            assert self.shop.differing(self.stage, self.folder) == [], self.about
        else:
            self._check_end(done)
            shutil.rmtree(self.folder)
            self.shop.before(self.stage, self.folder)

    def finish(self):
        """Let the same command end."""
        self._check_end(self._run(None))

    def _run(self, after):
        kept = self.finished_work()
        done = self.warm(*self.given, cwd=self.folder, after=after)
        if kept and done.code == 0 and "up to date" not in done.out:
            self.continued += 1
            assert kept in done.err, (self.about, done.err)
            for epoch in range(1, self.epochs_kept + 1):
                assert f"epoch {epoch}:" not in done.err, self.about
        return done

    def finished_work(self):
        """What a run has to say of the work that the killed ones left, empty if they left none."""
        workdir = self.folder / "artifacts"
        self.epochs_kept = 0
        if self.stage == "embed" and any(workdir.glob(".cocorec/embed-*/[0-9]*.f32")):
            return "continuing an interrupted run: "
        last = workdir / CHECKPOINT_DIR / "last.safetensors"
        if self.stage == "train" and last.exists():
            with safe_open(last, framework="numpy") as file:
                self.epochs_kept = json.loads(file.metadata()["progress"])["epoch"]
            return f"continuing the run that came to epoch {self.epochs_kept}\n"
        return ""

    def _check_end(self, done):
        assert done.code == 0, (self.about, done.err)
        assert self.shop.unlike(self.stage, self.folder) == [], self.about
        assert not list(self.folder.rglob("*.tmp-*")), self.about
        assert not list(self.folder.rglob("*.f32")), self.about


def _disturb(stages, kills, seed, shop, warm, arguments, tmp_path):
    total = 0
    for stage in stages:
        disturbed = Disturbed(stage, shop, warm, arguments[stage], tmp_path / stage, seed)
        while disturbed.kills < kills:
            disturbed.kill()
            if disturbed.random.random() < 0.25:
                disturbed.finish()
        disturbed.finish()
        total += disturbed.kills
    return total


@pytest.mark.parametrize("stage", STAGES)
def test_killed_runs_end_with_the_bytes_of_an_undisturbed_run(stage, shop, warm, arguments, tmp_path):
    assert _disturb([stage], 4, SEED, shop, warm, arguments, tmp_path) == 4


@pytest.mark.slow
@pytest.mark.crash
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("stage", STAGES)
def test_killed_often(stage, shop, warm, arguments, tmp_path, crash_counts):
    crash_counts["kills"] += _disturb([stage], 40, SEED + 1, shop, warm, arguments, tmp_path)
    assert crash_counts["kills"] == 40


@pytest.mark.parametrize(
    ("stage", "work"), [("embed", ".cocorec/embed-*/000000.f32"), ("train", f"{CHECKPOINT_DIR}/last.safetensors")]
)
def test_finished_work_is_kept(stage, work, shop, warm, arguments, tmp_path):
    """A kill as soon as the first of it is there."""
    disturbed = Disturbed(stage, shop, warm, arguments[stage], tmp_path / "kept", SEED)
    done = warm(*arguments[stage], cwd=disturbed.folder, appears=f"artifacts/{work}")
    assert done.code == KILLED, done.err
    assert disturbed.finished_work()
    disturbed.finish()
    assert disturbed.continued == 1


def test_a_kill_between_the_two_files_of_preprocess_is_made_good(shop, warm, arguments, tmp_path):
    folder = shop.before("quantize", tmp_path / "between")
    (folder / "artifacts" / SEQUENCES).unlink()
    done = warm(*arguments["preprocess"], cwd=folder)
    assert done.code == 0, done.err
    assert shop.unlike("preprocess", folder) == []
