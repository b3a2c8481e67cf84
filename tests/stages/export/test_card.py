import json

import pytest
from huggingface_hub import ModelCard
from recording import Recorder

from stages.artifacts.lineage import read_lineage
from stages.artifacts.names import METRICS, MODEL_CARD, MODEL_WEIGHTS
from stages.evaluate import EvaluateOptions, evaluate
from stages.export import ExportOptions, export
from stages.model.files import load_tensors, save_tensors


def card(workdir, **options):
    said = Recorder()
    result = export(ExportOptions(formats=("card",), device="cpu", **options), workdir=workdir, reporter=said)
    return result, said.warnings


@pytest.fixture
def evaluated(trained):
    evaluate(EvaluateOptions(resamples=20, cutoffs=(5, 10), device="cpu"), workdir=trained)
    return trained


def test_the_hub_reads_it_with_the_metrics(evaluated):
    result, warnings = card(evaluated, license="cc-by-4.0")
    assert (result.skipped, warnings, list(result.outputs)) == (False, [], [MODEL_CARD])
    found = ModelCard.load(evaluated / MODEL_CARD)
    metrics = json.loads((evaluated / METRICS).read_text())
    assert (found.data.license, found.data.library_name) == ("cc-by-4.0", "cocorec")
    told = {result.metric_type: result.metric_value for result in found.data.eval_results}
    assert told == {name: round(value["mean"], 6) for name, value in metrics["metrics"].items()}
    value = metrics["protocols"]["exclude_seen"]["metrics"]["ndcg@10"]
    shown = f"{value['mean']:.4f} ({value['low']:.4f} to {value['high']:.4f})"
    assert f"| ndcg@10 | {shown} |" in found.text.partition("Items of the history left out")[2]
    assert "300 items to be found by 300 users, each ranked against all 60 items" in found.text
    assert "| `train` | `dim` | `16` |" in found.text and "## Licence\n\ncc-by-4.0" in found.text
    # Its comment does not hinder programs that write cards.
    found.save(evaluated / "again.md")
    assert ModelCard.load(evaluated / "again.md").data.license == "cc-by-4.0"


def test_it_is_up_to_date_until_something_changes(evaluated):
    card(evaluated)
    content = (evaluated / MODEL_CARD).read_bytes()
    assert card(evaluated)[0].skipped
    assert not card(evaluated, license="mit")[0].skipped
    assert not card(evaluated)[0].skipped
    assert (evaluated / MODEL_CARD).read_bytes() == content
    evaluate(EvaluateOptions(resamples=30, cutoffs=(5, 10), device="cpu"), workdir=evaluated)
    assert not card(evaluated)[0].skipped


def test_metrics_of_another_model_are_left_out(evaluated):
    tensors, metadata = load_tensors(evaluated / MODEL_WEIGHTS)
    position = tensors["backbone.position"] + 1
    save_tensors(evaluated / MODEL_WEIGHTS, {**tensors, "backbone.position": position}, metadata)
    _, [warning] = card(evaluated)
    assert "has no metrics" in warning
    assert "has not been evaluated" in (evaluated / MODEL_CARD).read_text()
    assert METRICS not in read_lineage(evaluated / MODEL_CARD).inputs


@pytest.mark.parametrize("keep_comment", [True, False])
def test_what_people_write_into_it_stays(evaluated, keep_comment):
    card(evaluated)
    lines = (evaluated / MODEL_CARD).read_text().splitlines(keepends=True)
    mine = "".join([*lines[: 2 if keep_comment else 1], *lines[2:], "\nSold by us.\n"])
    (evaluated / MODEL_CARD).write_text(mine)
    result, [warning] = card(evaluated, license="mit")
    assert "not as `cocorec export` wrote it, and stays" in warning
    assert (evaluated / MODEL_CARD).read_text() == mine
    assert result.skipped
