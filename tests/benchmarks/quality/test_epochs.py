import json
import os

import psutil

from benchmarks.quality.epochs import cpu_seconds_to, watching


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


def test_an_epoch_costs_what_its_last_attempt_took(tmp_path):
    path = tmp_path / "epochs.jsonl"
    lines = [("a", 1, 5.0), ("a", 2, 7.0), ("a", 3, 9.5), ("b", 3, 6.0), ("b", 4, 8.0)]
    written = [json.dumps(dict(zip(("attempt", "epoch", "cpu_seconds"), line, strict=True))) for line in lines]
    path.write_text("\n".join(written) + "\n")
    assert cpu_seconds_to(path, 2) == 7.0
    # The third epoch was done again after 6 s of the second attempt, start included.
    assert cpu_seconds_to(path, 4) == 5.0 + 2.0 + 6.0 + 2.0
    assert cpu_seconds_to(path, 5) is None
    assert cpu_seconds_to(tmp_path / "none.jsonl", 1) is None
