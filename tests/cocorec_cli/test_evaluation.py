"""What ``evaluate`` prints: the line that matters, the model beside popularity, the rest on request."""

from pathlib import Path

import pytest

from cocorec_cli.evaluation import print_evaluation
from cocorec_cli.report import Report
from stages.frame.result import Result


def _metric(mean):
    return {"mean": mean, "low": mean - 0.01, "high": mean + 0.01}


def _report(**more):
    names = ("recall@10", "ndcg@10", "hit@10", "map@10")
    of = {"metrics": {name: _metric(0.5) for name in names}, "popularity": {name: _metric(0.25) for name in names}}
    facts = {
        "split": "test",
        "users": 3,
        "targets": 3,
        "items": 9,
        "exclude_seen": False,
        "repeated_targets": 0,
        **of,
        "protocols": {"all_items": of, "exclude_seen": of},
        "popularity_cut": "before the split",
        "counts_cut": "training",
        "beyond_accuracy": {"arp@10": 12.5},
        "popularity_groups": [{"group": "head", "from_interactions": 5, "items": 2, "targets": 3}],
        **more,
    }
    return Report(Result("evaluate", {}, facts), Path("artifacts"), 1.0, 100.0)


def test_the_line_that_matters_comes_first(capsys):
    print_evaluation(_report(), verbose=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "  ndcg@10 0.5000, popularity 0.2500 (test split)"
    assert lines[2] == "3 targets of 3 users among 9 items, test split, all items ranked"
    assert lines[3].split("  ")[1:3] == ["metric", "   model"] or lines[3].split()[:2] == ["metric", "model"]
    assert lines[4].split() == ["recall@10", "0.5000", "0.4900-0.5100", "0.2500", "0.2400-0.2600", "2.0"]
    assert not any("hit@10" in line or "arp" in line for line in lines)  # one target a user: they say what others say
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("excluded", [False, True])
def test_details(capsys, excluded):
    print_evaluation(_report(exclude_seen=excluded), verbose=True)
    out = capsys.readouterr().out
    places = [out.index(words) for words in ("all items ranked", "history excluded")]
    assert (places == sorted(places)) is not excluded  # the lists' own protocol first
    for words in ("arp@10", "targets by popularity, counted in training", "hit@K is recall@K"):
        assert words in out


def test_targets_that_training_never_saw(capsys):
    print_evaluation(_report(unseen_targets=2, unseen_metrics={"mrr": _metric(0.1)}), verbose=False)
    assert "the same of the 2 targets that training never saw" in capsys.readouterr().out
