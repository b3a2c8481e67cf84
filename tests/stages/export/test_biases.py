import copy
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq

from stages.artifacts.lineage import Lineage
from stages.export.biases import Biases, consumer_scores, write_pair_bias
from stages.export.check import difference, read_sample
from stages.export.vectors import item_vectors

NOTHING = Biases([], np.zeros(4), np.zeros(6, np.int64), np.zeros(0, np.int64), np.zeros((0, 0)))
PAIRS = {"starts": np.array([0, 0, 2, 2, 3, 3]), "partners": np.array([3, 4, 4])}
BOTH = Biases([0.5, 0.25, 0.125, 1.0], np.array([0, 0, 0, 8.0]), **PAIRS, pairs=np.array([[1, 2], [4, 8], [16, 32.0]]))


def test_scores_by_vectors_and_biases_are_the_models(reader, histories):
    sample = read_sample(reader, histories)
    biases, vectors = Biases.of(reader.model), item_vectors(reader.model, reader.model.item_tables()[1])
    assert len(biases.repeat) == reader.length and biases.recent > 1 and len(set(biases.repeat)) > 1
    assert difference("scores", consumer_scores(sample.items, sample.vectors, vectors, biases), sample.scores) < 1e-5
    # They are no small thing: without them scores are others.
    nothing = Biases([], np.zeros(60), np.zeros(62, np.int64), np.zeros(0, np.int64), np.zeros((0, 0)))
    assert np.abs(consumer_scores(sample.items, sample.vectors, vectors, nothing) - sample.scores).max() > 1e-3


def test_neighbours_by_text_are_among_the_pairs(reader, histories):
    model = copy.deepcopy(reader.model)
    model.calibration.find(model.texts)
    model.calibration.text_weight.fill_(0.3)
    model.calibration.pair_factor.fill_(1.5)
    sample = read_sample(replace(reader, model=model), histories)
    vectors = item_vectors(model, model.item_tables()[1])
    biases, others = Biases.of(model), Biases.of(reader.model)
    assert difference("scores", consumer_scores(sample.items, sample.vectors, vectors, biases), sample.scores) < 1e-5
    assert np.abs(consumer_scores(sample.items, sample.vectors, vectors, others) - sample.scores).max() > 1e-3


def test_by_hand():
    zeros = np.zeros((1, 2)), np.zeros((4, 2))
    assert consumer_scores(np.array([[1, 2]]), *zeros, NOTHING).tolist() == [[0, 0, 0, 0]]
    # Item 3 is the last (age 0), item 1 next (age 1): of its partners 3 is held, 4 gets 8 for it and 16 for item 3.
    assert consumer_scores(np.array([[0, 1, 3]]), *zeros, BOTH).tolist() == [[0.25, 0, 0.5, 8 + 8 + 16]]
    # Item 1 was taken twice: its repeat bias is that of the last time, its partners count for both.
    assert consumer_scores(np.array([[1, 2, 1]]), *zeros, BOTH).tolist() == [[0.5, 0.25, 1, 8 + 4]]


def test_pairs_are_written_by_item(tmp_path):
    write_pair_bias(tmp_path / "p.parquet", BOTH, Lineage("export", {}, {}))
    assert pq.read_table(tmp_path / "p.parquet").to_pylist() == [
        {"item": 1, "partner": 3, "bias": [1, 2]},
        {"item": 1, "partner": 4, "bias": [4, 8]},
        {"item": 3, "partner": 4, "bias": [16, 32]},
    ]
