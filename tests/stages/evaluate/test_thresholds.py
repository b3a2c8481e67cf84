import pytest

from stages.artifacts.errors import QualityError, UsageError
from stages.evaluate.thresholds import check_thresholds, parse_thresholds


def test_thresholds():
    known = ["recall@10", "ndcg@10"]
    assert parse_thresholds(["NDCG@10=0.05", "recall@10 = .1"], known) == {"ndcg@10": 0.05, "recall@10": 0.1}
    for wrong in ("ndcg@10", "ndcg@10=high", "ndcg@7=0.1", "ndcg@10=nan"):
        with pytest.raises(UsageError, match="--fail-under"):
            parse_thresholds([wrong], known)
    facts = {"split": "test", "metrics": {"ndcg@10": {"mean": 0.04}, "recall@10": {"mean": 0.2}}}
    check_thresholds(facts, {"ndcg@10": 0.04, "recall@10": 0.1})
    with pytest.raises(QualityError, match=r"ndcg@10 is 0.0400, below 0.05") as caught:
        check_thresholds(facts, {"ndcg@10": 0.05, "recall@10": 0.1})
    assert caught.value.exit_code == 4
