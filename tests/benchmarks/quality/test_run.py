import json
import shutil
from collections import Counter

import pytest

from benchmarks.quality import command, journal
from benchmarks.quality.plan import read_plan
from benchmarks.quality.run import Runner, main


def test_a_runner_that_was_stopped_goes_on(made):
    entries = journal.read(made.runs / journal.JOURNAL)
    told = [(entry["event"], entry["row"]) for entry in entries if entry["stage"] == "train"]
    assert told[:4] == [("begun", "small"), ("stopped", "small"), ("begun", "small"), ("done", "small")]
    assert (made.stopped, made.code) == (130, 0)
    # It went on from the checkpoint, so that no epoch is told of twice.
    folder = made.runs / "invented" / "small" / "seed-0"
    lines = [json.loads(line) for line in (folder / "epochs.jsonl").read_text().splitlines()]
    epochs = [line["epoch"] for line in lines if line["epoch"]]
    assert 1 <= made.epochs < 80
    assert epochs == sorted(set(epochs))
    assert epochs[-1] == 80
    assert [line["epoch"] for line in lines].count(None) == 2
    assert "continuing the run" in (folder / "train.log").read_text()


def test_what_was_run_is_in_the_journal_with_its_cost(made):
    entries = journal.read(made.runs / journal.JOURNAL)
    ended = [entry for entry in entries if entry["event"] == "done"]
    done = Counter((entry["stage"], entry.get("row"), entry.get("seed")) for entry in ended)
    trained = {("small", 0): 1, ("small", 1): 1, ("popularity", 0): 1}
    assert {key[1:]: count for key, count in done.items() if key[0] == "train"} == trained
    assert {key[1:]: count for key, count in done.items() if key[0] == "evaluate"} == trained
    assert all(entry["cpu_seconds"] > 0.1 for entry in ended)
    assert all(entry["split"] == "test" for entry in entries if entry["stage"] == "evaluate")
    assert not (made.runs / "unfinished").exists()


def test_what_is_finished_is_left_alone(made, capsys):
    before = journal.read(made.runs / journal.JOURNAL)
    assert main(made.arguments()) == 0
    added = journal.read(made.runs / journal.JOURNAL)[len(before) :]
    assert [(entry["event"], entry["stage"]) for entry in added] == [("begun", "preprocess"), ("done", "preprocess")]
    assert added[1]["skipped"] is True
    out = capsys.readouterr().out
    assert "invented again: the same options as popularity" in out
    assert "invented small seed 1: validation NDCG@10 0." in out
    assert "later" not in out


def test_a_failure_is_told_and_the_rest_still_runs(made, capsys, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text(made.plan.read_text().replace('"log.csv"], k_core', '"none.csv"], k_core'))
    arguments = [str(made.source), "--runs", str(tmp_path / "runs"), "--plan", str(plan), "--data", "invented"]
    assert main(arguments) == 1
    assert "failed: invented: `cocorec preprocess` ended with 3, see " in capsys.readouterr().out


def test_a_data_set_that_is_like_another_takes_over_its_vectors(monkeypatch, tmp_path):
    """What is run, in its order; the commands themselves have their own tests."""
    path = tmp_path / "plan.toml"
    path.write_text(
        '[data.shop]\nfolder = "shop"\npreprocess = {inputs = ["a.csv"]}\nembed = {views = ["title"]}\nquantize = {}\n'
        '[data.cold]\nlike = "shop"\npreprocess = {cold_items = 0.1}\n[rows.text]\ntrain = {model = "text"}\n'
    )
    ran = []

    def record(arguments, log, watch=None):
        ran.append(arguments)
        return command.Outcome(0, 1.0, 1.0, False, "")

    monkeypatch.setattr(command, "run", record)
    plan = read_plan(path)
    Runner(plan, tmp_path, tmp_path / "runs", "test", print).prepare(plan.data["cold"])
    shop, cold = (str(tmp_path / "runs" / name / "prepared") for name in ("shop", "cold"))
    where = [arguments[arguments.index("--workdir") + 1] for arguments in ran]
    assert [arguments[0] for arguments in ran] == ["preprocess", "embed", "preprocess", "embed", "quantize"]
    assert where == [shop, shop, cold, cold, cold]
    assert ran[3][ran[3].index("--reuse") + 1] == shop
    assert "--reuse" not in ran[1]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--rows", "big"], "--rows 'big' is unknown\nChoose among small, popularity, again, later"),
        (["--data", "none"], "--data 'none' is unknown"),
        (["--seeds", "x"], "--seeds 'x' are no whole numbers"),
    ],
)
def test_a_request_that_does_not_fit_is_refused(made, capsys, more, said):
    assert main(made.arguments(*more)) == 2
    assert said in capsys.readouterr().err


def test_data_that_are_not_there_are_named(made, capsys, tmp_path):
    assert main([str(tmp_path), *made.arguments()[1:]]) == 2
    assert f"{tmp_path / 'invented'} does not exist" in capsys.readouterr().err


def test_data_that_were_prepared_elsewhere_are_taken_as_they_are(made, capsys, tmp_path):
    runs = tmp_path / "runs"
    shutil.copytree(made.runs / "invented" / "prepared", runs / "invented" / "prepared")
    arguments = [str(tmp_path / "no data"), "--runs", str(runs), "--plan", str(made.plan), "--data", "invented"]
    assert main([*arguments, "--rows", "popularity", "--prepared"]) == 0
    assert "invented popularity seed 0: validation NDCG@10 0." in capsys.readouterr().out
    assert {entry["stage"] for entry in journal.read(runs / journal.JOURNAL)} == {"train", "evaluate"}
    shutil.rmtree(runs / "invented" / "prepared")
    assert main([*arguments, "--prepared"]) == 2
    assert "prepared does not exist\nCopy it there, or leave out --prepared." in capsys.readouterr().err
