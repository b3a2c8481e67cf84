import json
import os

import psutil

from benchmarks.quality.epochs import cpu_seconds_to, note_end, watching


def test_ends_of_epochs_are_noted_with_the_time_of_the_process(tmp_path):
    path = tmp_path / "epochs.jsonl"
    watch = watching(path, "first")
    watch("epoch 2: 30/90 steps (33%), 10 s, about 20 s left\n", os.getpid())
    assert not path.exists()
    watch("epoch 2: rec 3.120; validation ndcg@10 0.0123, recall@10 0.0456 (best in epoch 2); 1.2 s\n", os.getpid())
    (entry,) = map(json.loads, path.read_text().splitlines())
    spent = psutil.Process().cpu_times()
    assert (entry["attempt"], entry["epoch"]) == ("first", 2)
    assert 0 < entry["cpu_seconds"] <= spent.user + spent.system + 0.01


def written(path, lines):
    path.write_text("".join(json.dumps({"attempt": a, "epoch": e, "cpu_seconds": s}) + "\n" for a, e, s in lines))
    return path


def test_earlier_attempts_are_added(tmp_path):
    lines = [("a", 1, 5.0), ("a", 2, 7.0), ("a", 3, 9.5), ("b", 3, 6.0), ("b", 4, 8.0)]
    path = written(tmp_path / "epochs.jsonl", lines)
    note_end(path, "b", 9.0)
    assert cpu_seconds_to(path, 2) == 7.0
    assert cpu_seconds_to(path, 3) == 9.5 + 6.0  # done again in the second attempt
    assert cpu_seconds_to(path, 4) == 9.5 + 8.0
    assert cpu_seconds_to(path, 5) is None
    assert json.loads(path.read_text().splitlines()[-1]) == {"attempt": "b", "epoch": None, "cpu_seconds": 9.0}


def test_an_epoch_that_nobody_told_of_ended_with_its_attempt(tmp_path):
    path = written(tmp_path / "epochs.jsonl", [("a", 1, 5.0), ("a", None, 7.5), ("b", 3, 6.0)])
    assert cpu_seconds_to(path, 2) == 7.5
    assert cpu_seconds_to(path, 3) == 7.5 + 6.0


def test_a_training_that_was_given_up_does_not_count(tmp_path):
    path = written(tmp_path / "epochs.jsonl", [("a", 1, 5.0), ("a", 2, 9.0), ("b", 1, 2.0), ("b", 2, 3.0)])
    assert cpu_seconds_to(path, 2) == 3.0


def test_without_epochs_nothing_is_known(tmp_path):
    path = tmp_path / "none.jsonl"
    note_end(path, "a", 3.0)
    assert not path.exists()
    assert cpu_seconds_to(path, 1) is None
