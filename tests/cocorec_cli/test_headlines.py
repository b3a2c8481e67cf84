import itertools
from pathlib import Path

from cocorec_cli.headlines import headline, next_command
from stages.artifacts.names import CODES, EMBEDDINGS
from stages.artifacts.pipeline import STAGES
from stages.model.registry import needed_files

WORKDIR = Path("artifacts")


def test_each_stage_leads_to_the_next():
    names = [name for name in STAGES if name != "quantize"]
    for stage, following in itertools.pairwise(names):
        assert next_command(stage, {"views": {"title": 1.0}}, WORKDIR) == f"cocorec {following}"
    assert next_command("quantize", {}, WORKDIR) == "cocorec train"
    assert next_command("recommend", {}, WORKDIR) == "cocorec similar ITEM_ID"
    assert next_command("tune", {}, WORKDIR) is None


def test_models_without_vectors_do_not_lead_to_similar():
    assert next_command("recommend", {"model": "popularity"}, WORKDIR) is None
    assert next_command("recommend", {"model": "sasrec"}, WORKDIR) == "cocorec similar ITEM_ID"
    assert next_command("recommend", {"model": "of another version"}, WORKDIR) == "cocorec similar ITEM_ID"


def test_it_names_the_work_directory_or_the_configuration_file():
    assert next_command("train", {}, Path("a b")) == "cocorec evaluate --workdir 'a b'"
    assert next_command("train", {}, Path("w"), Path("c.toml")) == "cocorec evaluate --config c.toml"


def test_without_texts_a_model_of_interactions_comes_next():
    said = next_command("preprocess", {"views": {}}, WORKDIR)
    assert said == "cocorec train --model cooccurrence"
    assert not {EMBEDDINGS, CODES} & set(needed_files("cooccurrence"))


def test_facts_of_another_version_have_no_headline():
    assert headline("train", {"model": "cocorec"}) == ""
    assert headline("export", {"anything": 1}) == ""


def test_an_evaluation_is_told_beside_popularity():
    metric = {"mean": 0.5}
    facts = {"metrics": {"mrr": metric}, "popularity": {"mrr": {"mean": 0.25}}, "split": "valid"}
    assert headline("evaluate", facts) == "mrr 0.5000, popularity 0.2500 (valid split)"
