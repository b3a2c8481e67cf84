import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from recording import Recorder

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.lineage import Lineage, read_lineage
from stages.artifacts.names import CODES, EMBEDDINGS, HISTORY, ITEMS, MODEL_CONFIG, MODEL_WEIGHTS, SEQUENCES
from stages.artifacts.tables import read_table, write_table
from stages.frame.reporter import Reporter
from stages.model.base import LearnedModel
from stages.model.registry import MODELS, model_class
from stages.train import TrainOptions, train

FILES = (MODEL_CONFIG, MODEL_WEIGHTS, HISTORY)


class StopAfter(Reporter):
    """Ends a run like Ctrl-C once an epoch was reported."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def info(self, message: str) -> None:
        if message.startswith(f"epoch {self.epoch}:"):
            raise KeyboardInterrupt


def contents(workdir):
    return {name: (workdir / name).read_bytes() for name in FILES}


LEARNED = [name for name in MODELS if issubclass(model_class(name), LearnedModel)]


@pytest.mark.parametrize("model", LEARNED)
def test_each_model_learns(structured, small, model):
    options = TrainOptions(model=model, epochs=6, mcm_weight=0.1, msa_weight=0.1, calibrate=False, **small)
    result = train(options, workdir=structured)
    assert not result.skipped
    history = pq.read_table(structured / HISTORY).to_pylist()
    assert [row["epoch"] for row in history] == list(range(1, len(history) + 1))
    assert history[-1]["rec"] < history[0]["rec"]
    assert result.facts["validation"]["ndcg@10"] == max(row["ndcg@10"] for row in history)
    assert ("mcm" in history[0]) == (CODES in model_class(model).reads)
    for name in FILES:
        assert read_lineage(structured / name).stage == "train"


@pytest.mark.parametrize("model", LEARNED)
def test_each_model_trains_and_validates_in_bfloat16_as_on_a_gpu(structured, small, model):
    exact = train(TrainOptions(model=model, epochs=2, **small), workdir=structured).facts["validation"]["ndcg@10"]
    coarse = train(TrainOptions(model=model, epochs=2, precision="bfloat16", **small), workdir=structured).facts[
        "validation"
    ]
    assert coarse["ndcg@10"] == pytest.approx(exact, abs=0.1)


def test_text_and_id_learn_more_than_the_text_of_a_mixture(structured, small):
    alone = train(
        TrainOptions(model="unisrec", epochs=2, experts=2, with_ids=False, **small), workdir=structured
    ).facts["parameters"]
    both = train(TrainOptions(model="unisrec", epochs=2, experts=2, with_ids=True, **small), workdir=structured).facts[
        "parameters"
    ]
    assert both == alone + 61 * small["dim"]


def test_same_seed_same_bytes_other_seed_other_weights(structured, small):
    train(TrainOptions(epochs=2, **small), workdir=structured)
    first = contents(structured)
    train(TrainOptions(epochs=2, **small), workdir=structured, force=True)
    assert contents(structured) == first
    train(TrainOptions(epochs=2, seed=1, **small), workdir=structured)
    assert contents(structured)[MODEL_WEIGHTS] != first[MODEL_WEIGHTS]


@pytest.mark.parametrize("stop", [1, 3])
def test_interrupted_run_ends_with_the_same_bytes(structured, small, stop):
    train(TrainOptions(epochs=5, patience=5, **small), workdir=structured)
    undisturbed = contents(structured)
    for name in FILES:
        (structured / name).unlink()
    with pytest.raises(KeyboardInterrupt):
        train(TrainOptions(epochs=5, patience=5, resume=False, **small), workdir=structured, reporter=StopAfter(stop))
    assert not (structured / MODEL_WEIGHTS).exists()
    listener = Recorder()
    torch.manual_seed(12345)  # the state of the process must not matter
    train(TrainOptions(epochs=5, patience=5, resume=True, **small), workdir=structured, reporter=listener)
    assert contents(structured) == undisturbed
    assert f"continuing the run that came to epoch {stop}" in listener.infos
    assert not any(message.startswith("epoch 1:") for message in listener.infos)


def test_more_epochs_go_on_where_fewer_ended(structured, small):
    train(TrainOptions(epochs=5, patience=5, **small), workdir=structured)
    undisturbed = contents(structured)
    train(TrainOptions(epochs=2, patience=9, **small), workdir=structured, force=True)
    listener = Recorder()
    train(TrainOptions(epochs=5, patience=5, **small), workdir=structured, reporter=listener)
    assert contents(structured) == undisturbed
    assert "continuing the run that came to epoch 2" in listener.infos


def test_fewer_epochs_than_were_trained_start_afresh(structured, small):
    train(TrainOptions(epochs=2, **small), workdir=structured)
    undisturbed = contents(structured)
    train(TrainOptions(epochs=4, patience=9, **small), workdir=structured)
    listener = Recorder()
    train(TrainOptions(epochs=2, **small), workdir=structured, reporter=listener)
    assert contents(structured) == undisturbed
    assert "the checkpoint of another run (up to epoch 4) will be overwritten" in listener.infos


def test_up_to_date_is_skipped_and_says_the_same(structured, small):
    made = train(TrainOptions(epochs=2, **small), workdir=structured)
    before = contents(structured)
    again = train(TrainOptions(epochs=2, **small), workdir=structured)
    assert again.skipped
    assert dict(again.facts) == dict(made.facts)
    assert contents(structured) == before
    assert not train(TrainOptions(epochs=3, **small), workdir=structured).skipped


def test_resume_without_a_run_to_resume(structured, small):
    with pytest.raises(DataError, match="--resume"):
        train(TrainOptions(resume=True, **small), workdir=structured)


def test_stops_when_validation_stops_improving(structured, small):
    result = train(TrainOptions(epochs=200, patience=2, **{**small, "learning_rate": 0.05}), workdir=structured)
    assert result.facts["stopped_early"]
    assert result.facts["epochs"] == result.facts["best_epoch"] + 2


def test_the_threads_are_told_and_make_nothing_stale(structured, small):
    assert train(TrainOptions(epochs=1, threads=2, **small), workdir=structured).facts["threads"] == 2
    again = train(TrainOptions(epochs=1, threads=1, **small), workdir=structured)
    assert again.skipped and again.facts["threads"] == 2


def test_losses_that_a_model_does_not_have_are_warned_of(structured, small):
    masked = {"fusion_layers": 1, "mcm_weight": 0.5, "msa_weight": 0.1}
    [said] = train(TrainOptions(epochs=1, **{**small, **masked, "model": "text"}), workdir=structured).warnings
    assert said.startswith("the model text has no codes to mask: --mcm-weight 0.5 and --msa-weight 0.1 change nothing")
    assert not train(TrainOptions(epochs=1, **{**small, **masked, "model": "cocorec"}), workdir=structured).warnings


def test_emulated_bfloat16_is_warned_of(structured, small, monkeypatch):
    # Another processor cannot be had in a test.
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False}, raising=False)
    [said] = train(TrainOptions(epochs=1, precision="bfloat16", **small), workdir=structured).warnings
    assert "no instructions for it" in said
    assert not train(TrainOptions(epochs=1, **small), workdir=structured).warnings


def test_process_state_is_left_alone(structured, small):
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(TrainOptions(epochs=1, threads=1, **small), workdir=structured)
    assert torch.equal(torch.rand(3), expected)
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == (threads, deterministic)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"dim": 15}, "--heads"),
        ({"dropout": 1.0}, "--dropout"),
        ({"targets": "some"}, "--targets"),
        ({"learning_rate": 0}, "--learning-rate"),
        ({"mask_ratio": 0}, "--mask-ratio"),
        ({"model": "bert"}, "--model"),
        ({"backbone": "rnn"}, "--backbone"),
        ({"experts": 0}, "--experts"),
        ({"mcm_weight": 0.1, "fusion_layers": 0}, "--mcm-weight needs layers"),
        ({"device": "tpu"}, "--device"),
        ({"device": "cuda:99"}, "--device"),
        ({"precision": "int8"}, "--precision"),
        ({"text_dim": 0}, "--text-dim"),
        ({"negatives": -1}, "--negatives"),
    ],
)
def test_wrong_options_are_named(structured, small, options, named):
    with pytest.raises(UsageError, match=named):
        train(TrainOptions(**{**small, **options}), workdir=structured)


@pytest.mark.parametrize("name", [SEQUENCES, EMBEDDINGS, CODES])
def test_missing_input_is_named_with_the_stage_that_makes_it(structured, small, name):
    (structured / name).unlink()
    stage = {SEQUENCES: "preprocess", EMBEDDINGS: "embed", CODES: "quantize"}[name]
    with pytest.raises(DataError, match=rf"{name} does not exist\nRun `cocorec {stage}`"):
        train(TrainOptions(model="cocorec", **small), workdir=structured)


def test_inputs_that_do_not_belong_together_are_refused(structured, small):
    table = read_table(structured / CODES)
    lineage = Lineage("quantize", {}, {EMBEDDINGS: "sha256:other"}, {"codebook_size": 8})
    write_table(structured / CODES, table, lineage)
    with pytest.raises(DataError, match=r"codes.parquet was made from another embeddings.parquet"):
        train(TrainOptions(model="cocorec", **small), workdir=structured)


def test_codes_of_fewer_items_are_refused(structured, small):
    write_table(structured / CODES, read_table(structured / CODES).slice(0, 50), Lineage("quantize", {}, {}))
    with pytest.raises(DataError, match="50 items"):
        train(TrainOptions(model="cocorec", **small), workdir=structured)


def test_item_numbers_beyond_the_catalogue_are_refused(structured, small):
    table = read_table(structured / SEQUENCES)
    column = table.schema.get_field_index("items")
    lists = table["items"].to_pylist()
    lists[4][0] = 61
    table = table.set_column(column, table.schema.field(column), [pa.array(lists, pa.list_(pa.int32()))])
    write_table(structured / SEQUENCES, table, Lineage("preprocess", {}, {}))
    with pytest.raises(DataError, match=r"sequences.parquet.*'items', row 5.*61"):
        train(TrainOptions(**small), workdir=structured)


def test_sasrec_needs_no_texts(structured, small):
    for name in (EMBEDDINGS, CODES):
        (structured / name).unlink()
    assert train(TrainOptions(model="sasrec", epochs=1, **small), workdir=structured).facts["model"] == "sasrec"


def test_training_needs_no_items_file(structured, small):
    (structured / ITEMS).unlink()
    assert train(TrainOptions(epochs=1, **small), workdir=structured).facts["model"] == "text"


def test_a_model_that_counts_is_the_work_of_one_process(structured):
    with pytest.raises(UsageError, match="popularity counts, which is the work of one process"):
        train(TrainOptions(model="popularity", processes=2), workdir=structured)
