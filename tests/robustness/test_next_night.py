"""The commands of the next night, on a longer log and in place, killed at random moments and repeated."""

import csv
import random
import shutil

import pytest

from stages.artifacts.lineage import read_lineage
from stages.artifacts.names import CODES, EMBEDDINGS, HISTORIES, ITEMS, METRICS, MODEL_CONFIG
from stages.artifacts.pipeline import STAGES
from stages.artifacts.tables import read_table

SEED, KILLS, KILLED = 20_261_125, 2, -9
NEW = 40

MORE = {
    "preprocess": ["--extend", "artifacts", "--keep-cold-items"],
    "train": ["--init-from", "artifacts", "--model", "text", "--with-ids"],
}
"""What the commands say beside what they said the first night."""


@pytest.fixture(scope="module")
def night(shop, warm, arguments, tmp_path_factory):
    """The first night with free item vectors, and the longer log and catalogue of the next one."""
    folder = shutil.copytree(shop.folder, tmp_path_factory.mktemp("night") / "shop")
    for name in ("train", "evaluate"):
        given = [*arguments[name], *(MORE["train"][2:] if name == "train" else [])]
        done = warm(*given, cwd=folder)
        assert done.code == 0, done.err
    with (folder / "items.csv").open("a", newline="") as items, (folder / "log.csv").open("a", newline="") as log:
        for number in range(NEW):
            csv.writer(items).writerow([f"a{number}", f"word {number} of a new product", "saw"])
            csv.writer(log).writerow([f"u{number}", f"a{number // 2}", 1_800_000_000 + number])
    return folder


def outputs(folder, stage):
    return {name: (folder / "artifacts" / name).read_bytes() for name in STAGES[stage].outputs}


@pytest.mark.slow
def test_killed_commands_end_as_undisturbed_ones(night, warm, arguments, tmp_path):
    calm = shutil.copytree(night, tmp_path / "calm" / "shop")
    for stage, first in arguments.items():
        before = shutil.copytree(calm, tmp_path / stage / "shop")
        given = [*first, *MORE.get(stage, [])]
        done = warm(*given, cwd=calm)
        assert done.code == 0, done.err
        assert "up to date" not in done.out, stage
        expected, moments = outputs(calm, stage), random.Random(f"{SEED}/{stage}")
        for _ in range(KILLS):
            ended = warm(*given, cwd=before, after=moments.uniform(0, done.seconds))
            assert ended.code in (0, KILLED), ended.err
        ended = warm(*given, cwd=before)
        assert ended.code == 0, ended.err
        assert outputs(before, stage) == expected, stage
        repeated = warm(*given, cwd=calm)
        assert (repeated.code, "up to date" in repeated.out) == (0, True), (stage, repeated.err)
        shutil.rmtree(tmp_path / stage)
    _check_the_night(night, calm)


def _check_the_night(before, after):
    """Nothing moved, and what came is there."""
    old, new = (read_table(folder / "artifacts" / ITEMS) for folder in (before, after))
    assert new.num_rows == old.num_rows + NEW
    assert new["item_id"].slice(0, old.num_rows).equals(old["item_id"])
    for name in (EMBEDDINGS, CODES):
        rows = [read_table(folder / "artifacts" / name).slice(0, old.num_rows) for folder in (before, after)]
        assert rows[0].equals(rows[1]), name
    facts = {name: read_lineage(after / "artifacts" / name).facts for name in (EMBEDDINGS, MODEL_CONFIG, METRICS)}
    assert facts[EMBEDDINGS]["texts"] - facts[EMBEDDINGS]["texts_reused"] == NEW + 1
    assert facts[MODEL_CONFIG]["items_of_initial_model"] == {"known": old.num_rows, "new": NEW}
    assert facts[METRICS]["items"] == new.num_rows
    histories = read_table(after / "artifacts" / HISTORIES)["items"].to_pylist()
    taken = {item for history in histories for item in history if item > old.num_rows}
    assert len(taken) == NEW // 2


def test_yesterdays_model_ranks_todays_items(night, warm, arguments, tmp_path):
    folder = shutil.copytree(night, tmp_path / "shop")
    for stage in ("preprocess", "embed", "quantize"):
        assert warm(*arguments[stage], *MORE.get(stage, []), cwd=folder).code == 0
    done = warm(*arguments["evaluate"], cwd=folder)
    assert done.code == 0, done.err
    assert "40 items came after text was trained" in done.err
    assert "free vectors of zero" in done.err
    assert warm(*arguments["train"], "--model", "sasrec", cwd=folder).code == 0
    assert warm(*arguments["preprocess"], cwd=folder).code == 0  # numbered anew
    done = warm(*arguments["evaluate"], cwd=folder)
    assert done.code == 3, done
    assert "sequences.parquet" in done.err or "items.parquet" in done.err
