import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.lineage import read_lineage
from stages.artifacts.names import METRICS, RANKS, SEQUENCES
from stages.artifacts.tables import write_table
from stages.compare import CompareOptions, compare
from stages.evaluate import EvaluateOptions, evaluate
from stages.metrics.accuracy import places, user_metrics
from stages.metrics.randomization import holm
from stages.train import TrainOptions, train

SMALL = {"dim": 16, "ffn_dim": 32, "text_dim": 8, "layers": 1, "batch_size": 64, "learning_rate": 0.01}
SMALL |= {"warmup_steps": 5, "max_history": 6, "device": "cpu"}


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory, make_structured: Callable[..., Path]) -> Path:
    """Work directories of two models on the same data: ``text``, trained well, and ``sasrec``, hardly trained."""
    folder = tmp_path_factory.mktemp("runs")
    for kind, epochs in (("text", 6), ("sasrec", 1)):
        workdir = make_structured(folder / kind)
        train(TrainOptions(model=kind, epochs=epochs, **SMALL), workdir=workdir)
        evaluate(EvaluateOptions(resamples=10, device="cpu"), workdir=workdir)
    return folder


def _runs(folder: Path, *names: str) -> list[str]:
    return [str(folder / name) for name in names]


def _foreign(path: Path, **columns) -> Path:
    """A table of ranks as another tool might write it, without lineage."""
    table = {"user_id": ["a", "b", "b", "c"], "target": [1, 2, 3, 4], "rank": [1, 2, 3, 40], **columns}
    pq.write_table(pa.table({name: pa.array(values) for name, values in table.items()}), path)
    return path


def test_the_figures_are_those_of_the_ranks(evaluated):
    found = compare(CompareOptions(runs=_runs(evaluated, "sasrec", "text"), metrics=["ndcg@10", "mrr"], resamples=500))
    ranks = {name: pq.read_table(evaluated / name / RANKS)["rank"].to_numpy() for name in ("sasrec", "text")}
    found_at = {name: places(of, np.arange(len(of)), np.ones(len(of), int)) for name, of in ranks.items()}
    means = {name: user_metrics(of, ["ndcg@10", "mrr"]).mean(0) for name, of in found_at.items()}
    assert [row["metric"] for row in found["differences"]] == ["ndcg@10", "mrr"]
    for i, row in enumerate(found["differences"]):
        assert row["run"] == "text"
        assert row["mean"] == pytest.approx(means["text"][i])
        assert row["reference"] == pytest.approx(means["sasrec"][i])
        assert row["difference"] == pytest.approx(means["text"][i] - means["sasrec"][i])
        # The one follows the structure of the data, the other does not know it yet.
        assert 0 < row["low"] <= row["difference"] <= row["high"]
        assert row["p"] == 1 / 501
        assert row["p_holm"] == 2 / 501
    assert found["baseline"] == "sasrec"
    assert (found["users"], found["targets"], found["items"], found["split"]) == (300, 300, 60, "test")


def test_measures_beyond_accuracy_stand_beside(evaluated):
    found = compare(CompareOptions(runs=_runs(evaluated, "sasrec", "text"), resamples=10))
    table = {row["metric"]: row["values"] for row in found["metrics"]}
    for name in ("sasrec", "text"):
        facts = json.loads((evaluated / name / METRICS).read_text())
        assert table["ndcg@10"][name] == pytest.approx(facts["metrics"]["ndcg@10"]["mean"])
        for metric in ("coverage@10", "novelty@10", "arp@10", "gini@10", "diversity@10"):
            assert table[metric][name] == facts["beyond_accuracy"][metric]


def test_slices_divide_the_targets(evaluated):
    found = compare(CompareOptions(runs=_runs(evaluated, "sasrec", "text"), history_buckets=[4, 7], resamples=200))
    ranks = pq.read_table(evaluated / "text" / RANKS)
    lengths = ranks["history_length"].to_numpy()
    sizes = {row["slice"]: row["targets"] for row in found["slices"] if row["by"] == "history length"}
    assert sizes == {
        "1-4": (lengths <= 4).sum(),
        "5-7": ((lengths > 4) & (lengths <= 7)).sum(),
        "8+": (lengths > 7).sum(),
    }
    facts = json.loads((evaluated / "text" / METRICS).read_text())
    groups = {group["group"]: group["targets"] for group in facts["popularity_groups"]}
    sizes = {row["slice"]: row["targets"] for row in found["slices"] if row["by"] == "item popularity"}
    assert sizes == {name: size for name, size in groups.items() if size}
    row = next(row for row in found["slices"] if (row["slice"], row["metric"]) == ("8+", "recall@10"))
    assert row["mean"] == pytest.approx((ranks["rank"].to_numpy()[lengths > 7] <= 10).mean())
    for by in ("history length", "item popularity"):
        rows = [row for row in found["slices"] if row["by"] == by]
        assert [row["p_holm"] for row in rows] == pytest.approx(holm([row["p"] for row in rows]))


def test_identical_runs_do_not_differ(evaluated):
    path = evaluated / "text"
    found = compare(CompareOptions(runs=[f"one={path}", f"two={path}"], resamples=50))
    for row in [*found["differences"], *found["slices"]]:
        assert (row["difference"], row["low"], row["high"], row["p"], row["p_holm"]) == (0, 0, 0, 1, 1)


def test_the_reference_turns_the_sign(evaluated):
    runs = _runs(evaluated, "sasrec", "text")
    first, second = (
        compare(CompareOptions(runs=runs, resamples=300)),
        compare(CompareOptions(runs=runs, baseline="text", resamples=300)),
    )
    for a, b in zip(first["differences"], second["differences"], strict=True):
        assert (b["run"], b["difference"], b["p"]) == ("sasrec", pytest.approx(-a["difference"]), a["p"])
        assert (b["low"], b["high"]) == (pytest.approx(-a["high"]), pytest.approx(-a["low"]))


def test_other_runs_and_repetition_change_nothing_but_the_correction(evaluated):
    two = compare(CompareOptions(runs=_runs(evaluated, "sasrec", "text"), resamples=300))
    assert compare(CompareOptions(runs=_runs(evaluated, "sasrec", "text"), resamples=300)) == two
    three = compare(
        CompareOptions(runs=[*_runs(evaluated, "sasrec", "text"), f"again={evaluated / 'text'}"], resamples=300)
    )
    for row in two["differences"]:
        same = next(r for r in three["differences"] if (r["run"], r["metric"]) == ("text", row["metric"]))
        assert {**same, "p_holm": 0} == {**row, "p_holm": 0}
        assert same["p_holm"] == 2 * row["p_holm"]


def test_nothing_is_written(evaluated):
    def state():
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in evaluated.rglob("*")}

    (evaluated / "text" / ".cocorec" / "fingerprints.json").write_text("{}")  # everything has to be hashed
    before = state()
    compare(CompareOptions(runs=_runs(evaluated, "sasrec", "text"), resamples=10))
    assert state() == before


def test_ranks_kept_elsewhere_and_in_another_order(evaluated, tmp_path):
    kept = tmp_path / "kept.parquet"
    table = pq.read_table(evaluated / "sasrec" / RANKS)
    metadata = table.schema.metadata
    order = np.random.default_rng(0).permutation(table.num_rows)
    pq.write_table(table.take(order).replace_schema_metadata(metadata), kept)
    found = compare(CompareOptions(runs=[str(evaluated / "text" / METRICS), str(kept)], resamples=200))
    straight = compare(CompareOptions(runs=_runs(evaluated, "text", "sasrec"), resamples=200))
    assert list(found["runs"]) == ["text", "kept"]
    for a, b in zip(found["differences"], straight["differences"], strict=True):
        assert {**a, "run": ""} == {**b, "run": ""}


def test_files_of_other_tools(tmp_path):
    one = _foreign(tmp_path / "one.parquet")
    two = _foreign(tmp_path / "two.parquet", rank=[2, 2, 1, 50])
    found = compare(CompareOptions(runs=[str(one), str(two)], metrics=["recall@1", "RECALL@1"], resamples=100))
    assert (found["users"], found["targets"]) == (3, 4)
    # Of three users the first has the only hit with one, the second one of two with the other.
    assert found["metrics"] == [{"metric": "recall@1", "values": {"one": pytest.approx(1 / 3), "two": 1 / 6}}]
    assert found["slices"] == []
    assert sum("taken on trust" in note for note in found["notes"]) == 2
    assert any("no slices by history length" in note for note in found["notes"])
    assert any("no slices by item popularity" in note for note in found["notes"])
    sliced = _foreign(tmp_path / "three.parquet", history_length=[3, 3, 3, 9])
    found = compare(CompareOptions(runs=[str(one), str(sliced)], resamples=100))
    assert {row["slice"]: row["targets"] for row in found["slices"]} == {"1-5": 3, "6-10": 1}


def test_other_users_or_targets_are_refused(tmp_path):
    one = _foreign(tmp_path / "one.parquet")
    for name, columns in (
        ("users", {"user_id": ["a", "b", "b", "d"]}),
        ("targets", {"target": [1, 2, 3, 5]}),
        ("rows", {"user_id": ["a"], "target": [1], "rank": [1]}),
    ):
        other = _foreign(tmp_path / f"{name}.parquet", **columns)
        with pytest.raises(DataError, match=rf"{name}.parquet .* has other users or targets than .*one.parquet"):
            compare(CompareOptions(runs=[str(one), str(other)]))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"rank": [1, 2, 0, 4]}, "column 'rank', row 3: rank 0"),
        ({"rank": [1, 1, 1, 4]}, "column 'rank', row 2: rank 1 is taken by other targets of user 'b'"),
        ({"other_rank": [1, 2, 3, -4]}, "column 'other_rank', row 4: rank -4"),
        ({"rank": [1, 2, None, 4]}, "column 'rank' has nulls"),
        ({"rank": ["1", "2", "3", "4"]}, "column 'rank' has type string, not int32"),
        ({"user_id": [1, 2, 3, 4]}, "column 'user_id' has type int64, not string"),
    ],
)
def test_tables_that_break_the_contract_are_named(tmp_path, columns, said):
    runs = [str(_foreign(tmp_path / "good.parquet")), str(_foreign(tmp_path / "bad.parquet", **columns))]
    with pytest.raises(DataError, match=f"bad.parquet.*{said}"):
        compare(CompareOptions(runs=runs))


def test_empty_tables_are_refused(tmp_path):
    path = _foreign(tmp_path / "empty.parquet")
    pq.write_table(pq.read_table(path).slice(0, 0), path)
    with pytest.raises(DataError, match=r"empty.parquet has no rows"):
        compare(CompareOptions(runs=[f"a={path}", f"b={path}"]))


def test_another_split_or_data_is_refused(evaluated, tmp_path, make_structured):
    other = tmp_path / "other"
    shutil.copytree(evaluated / "text", other)
    runs = [str(evaluated / "text"), str(other)]
    evaluate(EvaluateOptions(split="valid", resamples=10, device="cpu"), workdir=other)
    with pytest.raises(DataError, match=r"text and other differ in split: test in .*, valid in"):
        compare(CompareOptions(runs=runs))
    # Two that were evaluated otherwise are not saved by a reference that says nothing of it.
    plain = tmp_path / "plain.parquet"
    pq.write_table(pq.read_table(evaluated / "text" / RANKS).replace_schema_metadata(None), plain)
    with pytest.raises(DataError, match="differ in split"):
        compare(CompareOptions(runs=[str(plain), *runs]))
    fresh = make_structured(tmp_path / "fresh", seed=7)
    train(TrainOptions(model="sasrec", epochs=1, **SMALL), workdir=fresh)
    evaluate(EvaluateOptions(resamples=10, device="cpu"), workdir=fresh)
    with pytest.raises(DataError, match=r"text and fresh differ in data \(sequences.parquet\)"):
        compare(CompareOptions(runs=[str(evaluated / "text"), str(fresh)]))


def test_runs_of_either_protocol_are_compared_by_the_same(evaluated, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(evaluated / "sasrec", other)
    facts = evaluate(EvaluateOptions(exclude_seen=True, resamples=10, device="cpu"), workdir=other).facts
    runs = [str(evaluated / "text"), str(other)]
    straight = compare(CompareOptions(runs=[runs[0], f"other={evaluated / 'sasrec'}"], resamples=100))
    found = compare(CompareOptions(runs=runs, resamples=100))
    assert (found["differences"], found["exclude_seen"]) == (straight["differences"], False)
    assert any("other: evaluated with history excluded, compared with all items ranked" in n for n in found["notes"])
    coverage = next(row["values"] for row in found["metrics"] if row["metric"] == "coverage@10")
    assert coverage["other"] is None and coverage["text"] is not None
    excluded = compare(CompareOptions(runs=runs, exclude_seen=True, resamples=100))
    assert excluded["exclude_seen"] is True
    row = next(row for row in excluded["differences"] if row["metric"] == "ndcg@10")
    assert row["mean"] == pytest.approx(facts["metrics"]["ndcg@10"]["mean"])
    assert row["mean"] != pytest.approx(next(r["mean"] for r in found["differences"] if r["metric"] == "ndcg@10"))
    # A file of the first version of the contract tells the ranks of one protocol alone.
    old = tmp_path / "old.parquet"
    lacking = pq.read_table(other / RANKS).drop_columns(["ties", "other_rank", "other_ties"])
    write_table(old, lacking, read_lineage(other / RANKS))
    with pytest.raises(DataError, match=r"old.parquet has no ranks with the items of the history"):
        compare(CompareOptions(runs=[runs[0], str(old)], resamples=10))
    compare(CompareOptions(runs=[str(old), runs[0]], resamples=10))


def test_ties_across_the_cutoff_are_misses_and_told(evaluated, tmp_path):
    # The second target ranks 12 with three others of its score: at best it would be at 9.
    table = pq.read_table(evaluated / "text" / RANKS)
    ranks, ties = np.full(table.num_rows, 5), np.zeros(table.num_rows, int)
    ranks[1], ties[1] = 12, 3
    for name, values in (("rank", ranks), ("ties", ties)):
        place = table.column_names.index(name)
        table = table.set_column(place, table.schema.field(name), pa.array(values, pa.int32()))
    path = tmp_path / "tied.parquet"
    pq.write_table(table.replace_schema_metadata(None), path)
    found = compare(
        CompareOptions(runs=[str(evaluated / "text"), str(path)], metrics=["recall@10", "recall@11"], resamples=10)
    )
    notes = [note for note in found["notes"] if note.startswith("tied: ") and "tie with" in note]
    assert notes == [f"tied: 1 targets tie with other items across rank {k}; they count as misses" for k in (10, 11)]
    assert found["metrics"][0]["values"]["tied"] == pytest.approx(1 - 1 / table.num_rows)


def test_several_targets_of_a_user_are_averaged_as_evaluate_does(tmp_path, make_structured):
    workdir = make_structured(tmp_path / "several")
    table = pq.read_table(workdir / SEQUENCES)
    for name in ("train_end", "valid_end"):
        end = pa.array(np.maximum(1, table[name].to_numpy() - 2), pa.int32())
        table = table.set_column(table.column_names.index(name), name, end)
    pq.write_table(table.replace_schema_metadata(None), workdir / SEQUENCES)
    train(TrainOptions(model="sasrec", epochs=1, **SMALL), workdir=workdir)
    facts = evaluate(EvaluateOptions(resamples=10, device="cpu"), workdir=workdir).facts
    assert facts["targets"] > facts["users"]
    names = ["recall@10", "ndcg@10", "hit@10", "map@10", "mrr"]
    found = compare(CompareOptions(runs=[f"a={workdir}", f"b={workdir}"], metrics=names, resamples=10))
    table = {row["metric"]: row["values"]["a"] for row in found["metrics"]}
    for name in names:
        assert table[name] == pytest.approx(facts["metrics"][name]["mean"])
    assert len({round(table[name], 6) for name in names}) == 5


def test_ranks_of_a_model_that_is_gone_are_refused_but_can_be_kept(evaluated, tmp_path):
    again = tmp_path / "again"
    shutil.copytree(evaluated / "text", again)
    train(TrainOptions(model="text", epochs=1, seed=3, **SMALL), workdir=again)
    with pytest.raises(DataError, match=r"ranks.parquet was made from another model/.*\nRun `cocorec evaluate` again"):
        compare(CompareOptions(runs=[str(evaluated / "text"), str(again)]))
    compare(CompareOptions(runs=[str(evaluated / "text"), f"kept={again / RANKS}"], resamples=10))
    shutil.copy(evaluated / "sasrec" / METRICS, again / METRICS)
    with pytest.raises(DataError, match="are of different evaluations"):
        compare(CompareOptions(runs=[str(evaluated / "text"), str(again / METRICS)]))


def test_a_run_that_was_not_evaluated(evaluated, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    shutil.copy(evaluated / "text" / SEQUENCES, empty)
    with pytest.raises(DataError, match=r"ranks.parquet does not exist\nRun `cocorec evaluate` first"):
        compare(CompareOptions(runs=[str(evaluated / "text"), str(empty)]))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"metrics": ["ndcg@0"]}, "unknown metric 'ndcg@0'"),
        ({"metrics": []}, "--metrics"),
        ({"resamples": 0}, "--resamples"),
        ({"history_buckets": [5, 5]}, "--history-buckets"),
        ({"history_buckets": []}, "--history-buckets"),
        ({"baseline": "three"}, "--baseline 'three' is none of the runs\nChoose one of one, two"),
        ({"runs": ["."]}, "at least two runs"),
    ],
)
def test_wrong_options_are_named(tmp_path, options, said):
    runs = [str(_foreign(tmp_path / f"{name}.parquet")) for name in ("one", "two")]
    with pytest.raises(UsageError, match=said):
        compare(CompareOptions(**{"runs": runs, **options}))


def test_a_model_that_counts_beside_one_that_learns(tmp_path, make_structured):
    for model in ("cooccurrence", "unisrec"):
        workdir = make_structured(tmp_path / model)
        train(TrainOptions(model=model, epochs=1, **SMALL), workdir=workdir)
        evaluate(EvaluateOptions(resamples=10, device="cpu"), workdir=workdir)
    found = compare(CompareOptions(runs=_runs(tmp_path, "cooccurrence", "unisrec"), resamples=10))
    facts = json.loads((tmp_path / "unisrec" / METRICS).read_text())
    row = next(row for row in found["differences"] if row["metric"] == "ndcg@10")
    assert (row["run"], row["mean"]) == ("unisrec", pytest.approx(facts["metrics"]["ndcg@10"]["mean"]))
