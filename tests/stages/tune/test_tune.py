import shutil
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.lineage import Lineage, read_lineage
from stages.artifacts.names import CODES, EMBEDDINGS, SEQUENCES, STUDY, TRIALS, TUNE_DIR
from stages.artifacts.sequences import read_sequences
from stages.artifacts.tables import read_table, write_table
from stages.model.registry import model_class
from stages.quantize import QuantizeOptions, quantize
from stages.train import TrainOptions, train
from stages.tune import SearchedStage, TuneOptions, tune

TRAIN = {"train": SearchedStage(TrainOptions, train)}
RATE = {"train": {"rate": {"low": 0.0, "high": 1.0}}}
SASREC = {"train": {"dropout": {"low": 0.0, "high": 0.5}, "dim": [8, 16]}}


def rows(workdir):
    return pq.read_table(workdir / TRIALS).to_pylist()


def poison(workdir):
    """Put other test items in the place of those that are there."""
    table = read_table(workdir / SEQUENCES)
    lists = table["items"].to_pylist()
    for items, end in zip(lists, table["valid_end"].to_pylist(), strict=True):
        items[end:] = [item % 60 + 1 for item in items[end:]]
    column = table.schema.get_field_index("items")
    table = table.set_column(column, table.schema.field(column), [pa.array(lists, pa.list_(pa.int32()))])
    write_table(workdir / SEQUENCES, table, Lineage("preprocess", {}, {}))


def sasrec(small):
    return {"train": {**small, "model": "sasrec", "epochs": 2}}


def test_the_best_trial_is_what_training_gives(structured, small):
    fixed = sasrec(small)
    result = tune(TuneOptions(trials=3), workdir=structured, stages=TRAIN, space=SASREC, fixed=fixed)
    found = rows(structured)
    assert [row["trial"] for row in found] == [0, 1, 2]
    assert (found[0]["train.dropout"], found[0]["train.dim"]) == (small["dropout"], small["dim"])
    assert len({row["train.dropout"] for row in found}) == 3
    best = max(found, key=lambda row: row["ndcg@10"])
    assert result.facts["best"]["trial"] == best["trial"]
    assert result.facts["best_options"] == {name: best[name] for name in ("train.dropout", "train.dim")}
    assert result.facts["trials"] == {"complete": 3, "pruned": 0, "failed": 0, "unfinished": 0}
    options = {name.removeprefix("train."): value for name, value in result.facts["best_options"].items()}
    trained = train(TrainOptions(**{**fixed["train"], **options}), workdir=structured)
    # What is chosen on validation after the epochs can only add to the best of them.
    assert trained.facts["validation"]["ndcg@10"] == best["ndcg@10"] >= max(best["validation"])


@pytest.mark.parametrize(("model", "option"), [("cooccurrence", "max_history"), ("unisrec", "experts")])
def test_the_space_of_a_model_is_its_own(structured, small, model, option):
    fixed = {"train": {**small, "model": model, "epochs": 2}}
    result = tune(TuneOptions(trials=3), workdir=structured, stages=TRAIN, fixed=fixed)
    assert result.facts["trials"]["failed"] == 0
    assert f"train.{option}" in result.facts["best_options"]
    values = [row[f"train.{option}"] for row in rows(structured)]
    assert all(value in model_class(model).searched[option] for value in values)


def test_test_items_have_no_part(structured, small, tmp_path):
    other = shutil.copytree(structured, tmp_path / "other")
    poison(other)
    assert (structured / SEQUENCES).read_bytes() != (other / SEQUENCES).read_bytes()
    for workdir in (structured, other):
        tune(TuneOptions(trials=2), workdir=workdir, stages=TRAIN, space=SASREC, fixed=sasrec(small))
        shown = read_sequences(workdir / TUNE_DIR / SEQUENCES)
        whole = read_sequences(workdir / SEQUENCES)
        assert shown.valid_end.tolist() == whole.valid_end.tolist() == (shown.offsets[1:] - shown.offsets[:-1]).tolist()
        for user in (0, 7, whole.users - 1):
            start = whole.offsets[user]
            history = whole.items[start : start + whole.valid_end[user]]
            assert shown.items[shown.offsets[user] : shown.offsets[user + 1]].tolist() == history.tolist()
        seen = {path.resolve() for path in (workdir / TUNE_DIR).rglob("*")}
        assert (workdir / SEQUENCES).resolve() not in seen
    assert rows(structured) == rows(other)


def test_codes_are_made_once_for_each_setting(structured, small):
    made = []

    def counted(options, *, workdir, force=False, reporter=None):
        result = quantize(options, workdir=workdir, force=force, reporter=reporter)
        if not result.skipped:
            made.append(options.levels)
        return result

    fixed = {"train": {**small, "epochs": 1}, "quantize": {"codebook_size": 8, "text_dim": 8, "levels": 2}}
    before = (structured / CODES).read_bytes()
    tune(
        TuneOptions(trials=4),
        workdir=structured,
        stages={**TRAIN, "quantize": SearchedStage(QuantizeOptions, counted)},
        space={"quantize": {"levels": [1, 2]}},
        fixed=fixed,
    )
    used = [row["quantize.levels"] for row in rows(structured)]
    assert sorted(made) == sorted(set(used))
    assert len(used) > len(made)
    for number, levels in enumerate(used):
        codes = structured / TUNE_DIR / f"trial-{number:04}" / "run-0" / CODES
        assert read_lineage(codes).options["levels"] == levels
    assert (structured / CODES).read_bytes() == before


def test_a_trial_that_lags_behind_is_ended_early(structured, training):
    tune(
        TuneOptions(trials=8, startup_trials=1, warmup_epochs=2),
        workdir=structured,
        stages=training.stages,
        space=RATE,
    )
    found = rows(structured)
    assert found[0]["state"] == "complete" and found[0]["train.rate"] == 0.8
    behind = [row for row in found if row["train.rate"] < 0.6]
    assert behind
    for row in behind:
        assert (row["state"], row["epochs"]) == ("pruned", 3)
        assert row["ndcg@10"] == pytest.approx(row["train.rate"] / 2)
    for row in found:
        if row["train.rate"] > 0.8 and row["trial"] < behind[0]["trial"]:
            assert row["state"] == "complete"


def test_none_is_ended_before_enough_are_complete(structured, training):
    result = tune(TuneOptions(trials=4, startup_trials=4), workdir=structured, stages=training.stages, space=RATE)
    assert result.facts["trials"]["complete"] == 4


@pytest.mark.parametrize("after", [1, 9, 14, 20])
def test_an_interrupted_search_goes_on_as_if_nothing_had_happened(structured, training, tmp_path, after):
    other = shutil.copytree(structured, tmp_path / "other")
    options = TuneOptions(trials=14, startup_trials=2, warmup_epochs=1)
    expected = tune(options, workdir=structured, stages=training.stages, space=RATE)
    epochs = 0

    def interrupt(epoch):
        nonlocal epochs
        epochs += 1
        if epochs == after:
            raise KeyboardInterrupt

    training.on_epoch = interrupt
    with pytest.raises(KeyboardInterrupt):
        tune(options, workdir=other, stages=training.stages, space=RATE)
    result = tune(options, workdir=other, stages=training.stages, space=RATE)
    assert rows(other) == rows(structured)
    assert result.facts == expected.facts


def test_a_search_that_is_done_runs_no_more_and_can_be_extended(structured, training):
    search = {"workdir": structured, "stages": training.stages, "space": RATE}
    first = tune(TuneOptions(trials=2), **search)
    runs = len(training.calls)
    assert tune(TuneOptions(trials=2), **search).facts == first.facts
    assert len(training.calls) == runs
    assert tune(TuneOptions(trials=3), **search).facts["trials"]["complete"] == 3


def test_what_a_killed_process_left_is_cleared_away(structured, training):
    search = {"workdir": structured, "stages": training.stages, "space": RATE}
    tune(TuneOptions(trials=2), **search)
    with (structured / STUDY).open("ab") as file:
        file.write(b'{"op_code": 4, "wor')
    lock = structured / f"{STUDY}.lock"
    lock.symlink_to(structured / STUDY)
    began = time.monotonic()
    assert tune(TuneOptions(trials=3), **search).facts["trials"]["complete"] == 3
    assert time.monotonic() - began < 20  # Optuna waits 30 s for a lock that nobody holds
    assert not lock.is_symlink()


def test_a_damaged_study_is_named(structured, training):
    search = {"workdir": structured, "stages": training.stages, "space": RATE}
    tune(TuneOptions(trials=1), **search)
    (structured / STUDY).write_text("not a study\n" + (structured / STUDY).read_text())
    with pytest.raises(DataError, match=r"study.jsonl is damaged.*\n.*--no-resume"):
        tune(TuneOptions(trials=1), **search)


def test_a_flipped_bit_in_a_study_is_named_and_the_hint_works(structured, training):
    search = {"workdir": structured, "stages": training.stages, "space": RATE}
    tune(TuneOptions(trials=2), **search)
    whole = (structured / STUDY).read_bytes()
    digit = whole.index(b'"values":[0.') + len(b'"values":[0.')
    (structured / STUDY).write_bytes(whole[:digit] + bytes([whole[digit] ^ 1]) + whole[digit + 1 :])
    with pytest.raises(DataError, match=r"study.jsonl is damaged: line \d+ is not what was written\n.*--no-resume"):
        tune(TuneOptions(trials=2), **search)
    assert tune(TuneOptions(trials=2, resume=False), **search).facts["trials"]["complete"] == 2


def test_damaged_histories_of_a_search_are_made_anew(structured, training):
    search = {"workdir": structured, "stages": training.stages, "space": RATE}
    tune(TuneOptions(trials=1), **search)
    path = structured / TUNE_DIR / SEQUENCES
    whole = path.read_bytes()
    for place in (0, 60, len(whole) // 2, len(whole) - 100, len(whole) - 1):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(DataError, match=r"sequences\.parquet") as error:
            read_sequences(path)
        assert error.value.hint == "Run `cocorec tune` again, which makes it anew."
        tune(TuneOptions(trials=1), **search)
        assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"space": {"train": {"rate": {"low": 0.0, "high": 0.9}}}}, "space train.rate high was 1.0, is 0.9"),
        ({"space": {"train": {"dim": [4, 8]}}}, "space train.rate was part of it"),
        ({"fixed": {"train": {"dim": 8}}}, "options train.dim was 4, is 8"),
        ({"seed": 1}, "sampler seed was 0, is 1"),
        ({"seeds": 2}, "seeds was 1, is 2"),
        ({"warmup_epochs": 1}, "pruner warmup_epochs was 5, is 1"),
    ],
)
def test_another_search_is_refused(structured, training, changed, expected):
    search = {"workdir": structured, "stages": training.stages, "space": RATE}
    tune(TuneOptions(trials=1), **search)
    before = (structured / STUDY).read_bytes()
    search |= {name: value for name, value in changed.items() if name in ("space", "fixed")}
    options = {name: value for name, value in changed.items() if name not in search}
    with pytest.raises(UsageError, match=rf"of another search: {expected}\n.*--no-resume"):
        tune(TuneOptions(trials=1, **options), **search)
    assert (structured / STUDY).read_bytes() == before
    assert tune(TuneOptions(trials=1, resume=False, **options), **search).facts["trials"]["complete"] == 1


def test_other_inputs_are_refused(structured, training):
    search = {"workdir": structured, "stages": training.stages, "space": RATE}
    tune(TuneOptions(trials=1), **search)
    poison(structured)
    with pytest.raises(UsageError, match=r"inputs sequences.parquet was"):
        tune(TuneOptions(trials=1), **search)


def test_there_must_be_a_search_to_resume(structured, training):
    with pytest.raises(DataError, match="--resume"):
        tune(TuneOptions(trials=1, resume=True), workdir=structured, stages=training.stages, space=RATE)


def test_values_that_fit_alone_but_not_together(structured, training):
    space = {"train": {"dim": [4, 6, 9], "heads": [2, 3]}}
    result = tune(TuneOptions(trials=12), workdir=structured, stages=training.stages, space=space)
    found = rows(structured)
    failed = [row for row in found if row["train.dim"] % row["train.heads"]]
    assert failed and result.facts["trials"]["failed"] == len(failed)
    for row in failed:
        assert row["state"] == "failed"
        assert row["reason"] == f"--heads {row['train.heads']} does not divide --dim {row['train.dim']}"
    assert all(row["state"] == "complete" for row in found if row not in failed)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes")])
def test_a_model_too_large_fails_its_trial_alone(structured, training, error):
    def run_out(epoch):
        if len(training.calls) == 2:
            raise error

    training.on_epoch = run_out
    result = tune(TuneOptions(trials=3), workdir=structured, stages=training.stages, space=RATE)
    assert result.facts["trials"] == {"complete": 2, "pruned": 0, "failed": 1, "unfinished": 0}
    assert rows(structured)[1]["reason"].startswith("out of memory: ")


def test_other_errors_end_the_search(structured, training):
    def break_down(epoch):
        raise RuntimeError("a bug")

    training.on_epoch = break_down
    with pytest.raises(RuntimeError, match="a bug"):
        tune(TuneOptions(trials=3), workdir=structured, stages=training.stages, space=RATE)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"space": {"train": {"rate": {"low": 0.5, "high": 1.5}}}},
            r"train.rate 1.5: --rate must be at least 0 and at most 1, is 1.5",
        ),
        ({"space": {"train": {"heads": [2, 3]}}}, "train.heads 3: --heads 3 does not divide --dim 4"),
        ({"fixed": {"train": {"rate": 2}}, "space": {"train": {"dim": [2, 4]}}}, "--rate must be .*, is 2"),
        ({"fixed": {"train": {"model": "popularity"}}}, "nothing to tune"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_first_trial(structured, training, options, expected):
    with pytest.raises(UsageError, match=expected):
        tune(TuneOptions(), workdir=structured, stages=training.stages, **{"space": RATE, **options})
    assert not training.calls
    assert not (structured / TUNE_DIR).exists()


@pytest.mark.parametrize("name", [SEQUENCES, EMBEDDINGS, CODES])
def test_a_missing_input_is_named_before_the_first_trial(structured, training, name):
    (structured / name).unlink()
    with pytest.raises(DataError, match=rf"{structured / name} does not exist"):
        tune(TuneOptions(trials=1), workdir=structured, stages=training.stages, space=RATE)
    assert not (structured / TUNE_DIR).exists()


def test_several_seeds_count_as_their_mean(structured, training):
    result = tune(
        TuneOptions(trials=1, seeds=3),
        workdir=structured,
        stages=training.stages,
        space={"train": {"rate": [0.25]}},
        fixed={"train": {"seed": 5}},
    )
    assert [call["seed"] for call in training.calls] == [5, 6, 7]
    assert len({call["workdir"] for call in training.calls}) == 3
    assert result.facts["best"]["each_seed"] == [5.25, 6.25, 7.25]
    assert result.facts["best"]["validation_ndcg@10"] == 6.25


def test_when_the_minutes_are_over_the_trial_waits_for_the_next_search(structured, training):
    search = {"workdir": structured, "stages": training.stages, "space": RATE}
    training.on_epoch = lambda epoch: time.sleep(1.0 if epoch == 2 else 0.0)
    with pytest.raises(DataError, match="no trial is complete"):
        tune(TuneOptions(minutes=0.5 / 60), **search)
    (row,) = rows(structured)
    assert row["state"] == "unfinished"
    assert 1 <= row["epochs"] <= 2
    training.on_epoch = lambda epoch: None
    tune(TuneOptions(trials=1), **search)
    (row,) = rows(structured)
    assert (row["trial"], row["state"], row["epochs"]) == (0, "complete", 6)


def test_without_optuna_the_extra_is_named(structured, training, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UsageError, match=r"needs the package optuna.*\n.*cocorec\[tune\]"):
        tune(workdir=structured, stages=training.stages, space=RATE)


def test_a_trial_that_diverges_fails_and_the_search_goes_on(structured, small):
    # A temperature of next to nothing leaves no finite epoch, a huge learning rate some before it diverges.
    space = {"train": {"temperature": [1e-40, 0.07], "learning_rate": [8e4, 0.01]}}
    training = {**{name: value for name, value in small.items() if name != "learning_rate"}, "warmup_steps": 20}
    fixed = {"train": {**training, "model": "sasrec", "epochs": 3, "learning_rate": 8e4}}
    stages = {"train": SearchedStage(TrainOptions, train)}
    options = TuneOptions(trials=6, warmup_epochs=50)
    found = tune(options, workdir=structured, stages=stages, space=space, fixed=fixed).facts
    failed = [row for row in rows(structured) if row["state"] == "failed"]
    assert found["trials"] == {"complete": 6 - len(failed), "pruned": 0, "failed": len(failed), "unfinished": 0}
    assert found["best_options"] == {"train.temperature": 0.07, "train.learning_rate": 0.01}
    # The first trial, whose options are those that stand, diverged after some epochs, which do not count.
    assert rows(structured)[0]["state"] == "failed" and rows(structured)[0]["epochs"] > 0
    for row in failed:
        assert "not finite" in row["reason"] and "step" in row["reason"]
        assert row["train.temperature"] == 1e-40 or row["train.learning_rate"] == 8e4
    assert all(row["train.learning_rate"] == 0.01 for row in rows(structured) if row["state"] == "complete")


def test_trials_are_logged_beside_each_other(structured, small):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    fixed = {"train": {**sasrec(small)["train"], "log": "tensorboard"}}
    tune(TuneOptions(trials=2, seeds=2), workdir=structured, stages=TRAIN, space=SASREC, fixed=fixed)
    found = rows(structured)
    folders = sorted(path.name for path in (structured / "tensorboard").iterdir())
    assert folders == [f"trial-{trial:05}-seed-{seed}" for trial in (0, 1) for seed in (0, 1)]
    for row in found:
        events = EventAccumulator(str(structured / "tensorboard" / f"trial-{row['trial']:05}-seed-0"))
        events.Reload()
        curve = [event.value for event in events.Scalars("validation/ndcg@10")]
        assert curve == pytest.approx(row["validation"])
    assert not list((structured / TUNE_DIR).rglob("tensorboard"))
