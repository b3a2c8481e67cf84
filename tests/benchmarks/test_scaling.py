import json
from dataclasses import replace

import pytest

from benchmarks import roofline, scaling
from benchmarks.shapes import SHAPES


def test_the_arithmetic_is_that_of_the_counted_step(monkeypatch):
    small = replace(SHAPES["scientific"], items=400, users=400, dim=32, codebook_size=8, batch_size=64)
    monkeypatch.setitem(SHAPES, "scientific", small)
    counted = roofline.measure("scientific", 0, 1)
    monkeypatch.setattr(scaling, "_MEAN_HISTORY", counted["targets"] / small.batch_size)
    assert scaling.step_of(small, 1).flops == pytest.approx(counted["gflop"] * 1e9, rel=0.1)


def test_more_processes_do_less_each_and_send_more(capsys):
    scaling.main(["--items", "1000000", "--histories", "512", "--processes", "1,2,8"])
    alone, two, eight = json.loads(capsys.readouterr().out)
    assert alone["sent_gb"] == 0 and 0 < two["sent_gb"] < eight["sent_gb"]
    assert eight["tflop"] == pytest.approx(alone["tflop"] / 8)
    assert alone["held_gb"] == eight["held_gb"]
    assert eight["step_ms"] == pytest.approx(max(eight["products_ms"], eight["memory_ms"]) + eight["sending_ms"])
    assert {row["measured_ms"] for row in (alone, two, eight)} == {None}


def test_a_model_is_as_wide_as_by_default(capsys):
    rows = []
    for more in ([], ["--dim", "128"], ["--dim", "64"]):
        scaling.main(["--items", "1000000", "--histories", "512", "--processes", "1", *more])
        rows += json.loads(capsys.readouterr().out)
    assert rows[0] == rows[1] and rows[2]["held_gb"] < rows[1]["held_gb"]
    vectors = 1_000_000 * 128
    assert rows[0]["optimizer_gb"] == pytest.approx(2 * 4 * vectors / 1e9, rel=0.01)  # nearly all of it
