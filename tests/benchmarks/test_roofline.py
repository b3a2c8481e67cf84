import json
from dataclasses import replace

import pytest
import torch

from benchmarks import roofline
from benchmarks.shapes import SHAPES


def test_bytes_are_those_of_inputs_and_outputs_and_views_are_free():
    x, y = torch.ones(4, 8), torch.ones(8, 2)
    with roofline.BytesMoved() as moved:
        x.view(8, 4)
        assert moved.total == 0
        x @ y
    assert moved.total == 4 * (32 + 16 + 8)


def test_a_step_counts_its_softmax_and_bounds_follow_from_the_counts(monkeypatch, capsys):
    small = replace(SHAPES["scientific"], items=200, users=100, dim=16, batch_size=32, codebook_size=8)
    monkeypatch.setitem(SHAPES, "scientific", small)
    roofline.main(["--steps", "1"])
    found = json.loads(capsys.readouterr().out)
    # Scores and the gradients of both sides, one more column for items that count as new.
    least = 3 * 2 * found["targets"] * small.items * (small.dim + 1)
    assert least < found["gflop"] * 1e9 < 100 * least
    assert found["h100_compute_seconds"] == pytest.approx(found["gflop"] * 1e9 / 989e12)
    assert found["h100_memory_seconds"] == pytest.approx(found["gbyte"] * 1e9 / 3.35e12)
    assert found["gpu_measured_seconds"] is None and found["cpu_seconds"] > 0
