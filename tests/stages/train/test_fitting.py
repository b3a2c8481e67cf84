import pyarrow.parquet as pq
import pytest
from recording import Recorder

from stages.artifacts.names import HISTORY
from stages.model.base import CountingModel
from stages.model.registry import MODELS, model_class
from stages.train import TrainOptions, train

COUNTING = [name for name in MODELS if issubclass(model_class(name), CountingModel)]


@pytest.mark.parametrize("model", COUNTING)
def test_models_that_count_report_one_epoch(structured, small, model):
    hearer = Recorder()
    facts = train(TrainOptions(model=model, **small), workdir=structured, reporter=hearer).facts
    (row,) = pq.read_table(structured / HISTORY).to_pylist()
    assert (row["epoch"], row["step"]) == (1, 0)
    assert facts["best_epoch"] == facts["epochs"] == 1
    assert hearer.epochs == {1: facts["validation"]["ndcg@10"]} == {1: row["ndcg@10"]}


def test_the_losses_of_a_model_are_among_the_facts(structured, small):
    for model, names in (("sasrec", ["loss", "rec"]), ("codes", ["loss", "rec", "mcm", "msa"])):
        options = TrainOptions(model=model, epochs=1, mcm_weight=0.1, msa_weight=0.1, **small)
        facts = train(options, workdir=structured).facts
        assert list(facts["losses"]) == names
        assert facts["losses"]["loss"] == pytest.approx(
            facts["losses"]["rec"] + 0.1 * facts["losses"].get("mcm", 0) + 0.1 * facts["losses"].get("msa", 0)
        )
