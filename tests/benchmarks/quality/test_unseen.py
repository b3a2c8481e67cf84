"""Ranks of unseen targets beside chance and text neighbours."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality.unseen import main, measures, model_of, neighbour_ranks, text_vectors
from stages.artifacts.names import EMBEDDINGS, SEQUENCES
from stages.artifacts.sequences import read_sequences
from stages.evaluate import EvaluateOptions, evaluate
from stages.model.ranking import queries
from stages.train import TrainOptions, train


def test_runs_of_a_row_are_one_model():
    assert [model_of(Path(f"runs/cold/light/seed-{seed}/test")) for seed in (0, 1)] == ["light", "light"]
    assert model_of(Path("runs/cold/light/seed-2")) == "light"
    assert model_of(Path("shop/artifacts")) == "artifacts"


def test_measures_of_unseen_targets_and_of_all():
    ranks, unseen = np.array([1, 11, 3, 40]), np.array([False, True, True, False])
    assert measures(ranks, unseen) == pytest.approx([1 / 2, 1 / 4, 2 / 4, (1 + 1 / 2) / 4])


def test_neighbours_are_those_of_the_last_item(structured):
    sequences = read_sequences(structured / SEQUENCES)
    vectors, wanted = text_vectors(structured / EMBEDDINGS), queries(sequences, "test", 1)
    ranks = neighbour_ranks(vectors, sequences, wanted)
    scaled = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for row in (0, 5):
        cosines = scaled @ scaled[sequences.items[wanted.end[row] - 1] - 1]
        assert abs(ranks[row] - (cosines >= cosines[wanted.target[row] - 1] - 1e-6).sum()) <= 1


def test_a_row_for_each_boost(structured, capsys):
    options = TrainOptions(epochs=1, dim=16, ffn_dim=32, text_dim=8, layers=1, fusion_layers=0, device="cpu")
    train(options, workdir=structured)
    evaluate(EvaluateOptions(device="cpu", resamples=20), workdir=structured)
    main([structured], [0.0, 0.5])
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("test: ")
    rows = {line[:44].strip(): line[44:].split() for line in told[2:]}
    assert list(rows)[1:3] == ["artifacts, --new-item-boost 0", "artifacts, --new-item-boost 0.5"]
    assert rows["artifacts, --new-item-boost 0"] == rows["artifacts, 1 run"]
