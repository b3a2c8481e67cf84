"""How long a peer is trained, and where its targets stand."""

import json
from functools import partial

import numpy as np
import pytest

from benchmarks.quality.peers.waiting import Best, gain, histories, rank_among


def ranks(*values: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.array(values, np.int64)


def test_the_best_state_is_kept_until_patience_ends(capsys: pytest.CaptureFixture[str]) -> None:
    best, epochs = Best(2), [ranks(20, 9), ranks(3, 1), ranks(3, 2), ranks(3, 1)]
    go_on = [best.look(found, partial(int, number)) for number, found in enumerate(epochs)]
    assert go_on == [True, True, True, False]
    assert best.state == 1
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["epoch"] for row in told] == [1, 2, 3, 4]
    assert told[1]["ndcg@10"] == pytest.approx((0.5 + 1) / 2)


def test_gain_counts_the_first_ten() -> None:
    assert gain(ranks(1, 3, 10, 11)) == pytest.approx((1 + 0.5 + 1 / np.log2(11)) / 4)


def test_what_scores_the_same_stands_before_the_target() -> None:
    scores = np.array([[0.5, 0.9, 0.5, 0.1], [0.3, 0.2, 0.1, 0.0]], np.float32)
    assert rank_among(scores, ranks(2, 0)).tolist() == [3, 1]


def test_histories_keep_their_last_items() -> None:
    data = {"items": ranks(7, 8, 9, 5), "valid_start": ranks(0, 3), "valid_end": ranks(3, 4)}
    assert [history.tolist() for history in histories(data, "valid", 2)] == [[8, 9], [5]]
