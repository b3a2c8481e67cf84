import json

import pytest

from benchmarks.quality.plan import read_plan
from benchmarks.quality.results import read_results
from benchmarks.quality.tables import main, markdown
from stages.compare import CompareOptions, compare


@pytest.fixture(scope="module")
def lines(made):
    return list(markdown(made.runs, read_plan(made.plan), ["invented", "unfinished"], "test", resamples=200))


def cells(lines, start, number=0):
    """The cells of the ``number``-th row that begins so."""
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines if line.startswith(start)][
        number
    ]


def told(made, row, seed):
    folder = made.runs / "invented" / row / f"seed-{seed}" / "test"
    return json.loads((folder / "metrics.json").read_text())


def test_the_first_table_has_means_over_seeds(made, lines):
    small = [told(made, "small", seed)["protocols"] for seed in (0, 1)]
    head, found = cells(lines, "| row | seeds"), cells(lines, "| small")
    values = dict(zip(head, found, strict=True))
    assert values["seeds"] == "2"
    for protocol, suffix in (("all_items", ""), ("exclude_seen", ", history excluded")):
        for metric in ("Recall@10", "NDCG@10"):
            both = [one[protocol]["metrics"][metric.lower()] for one in small]
            mean, low, high = (sum(value[end] for value in both) / 2 for end in ("mean", "low", "high"))
            assert values[metric + suffix] == f"{mean:.4f} ({low:.4f}–{high:.4f})"
    by_seed = [one["all_items"]["metrics"]["ndcg@10"]["mean"] for one in small]
    assert values["NDCG@10 by seed"] == ", ".join(f"{value:.4f}" for value in by_seed)
    assert float(values["validation NDCG@10"]) > 0
    assert values["CPU s"].isdecimal()
    assert cells(lines, "| again")[2:] == cells(lines, "| popularity")[2:]


def test_the_looks_at_the_split_are_told(lines):
    text = "\n".join(lines)
    assert text.startswith("### Invented\n\nTest split: 80 users, 20 items, 80 targets, ")
    assert "of items that training never saw" in text
    assert "Models were evaluated on this split 3 times." in text


def test_differences_are_those_of_compare(made, lines):
    folders = {name: made.runs / "invented" / name / "seed-0" / "test" for name in ("small", "popularity")}
    runs = tuple(f"{name}={folder}" for name, folder in folders.items())
    options = CompareOptions(runs, metrics=("ndcg@10", "recall@10"), exclude_seen=False, resamples=200)
    ndcg, recall = compare(options)["differences"]
    found = cells(lines, "| popularity", 1)
    assert found[1].startswith(f"{ndcg['difference']:+.4f} (".replace("-", "−"))
    assert found[2] == f"{ndcg['p_holm']:.3g}"
    assert found[4] == f"{recall['p_holm']:.3g}"
    assert "correction over all 2 tests of this table" in "\n".join(lines)


def test_cpu_seconds_until_validation_is_as_good_as_the_baseline(made, lines):
    small = read_results(made.runs, read_plan(made.plan), "invented", "test").rows["small"][0]
    best = max(reached for reached, _ in small.course)
    head, found = cells(lines, "| row | 90%"), cells(lines, "| small", 1)
    assert head[1:] == [f"{share:.0%}: {share * best:.4f}" for share in (0.9, 0.95, 0.98, 0.99, 1.0)]
    assert found[1] == f"{small.cpu_to_reach(0.9 * best):.0f}"
    assert found[5] == f"{small.cpu_to_best:.0f}"


def test_items_that_training_never_saw_have_their_table(made, lines):
    unseen = told(made, "popularity", 0)["unseen_metrics"]["recall@10"]
    found = cells(lines, "| popularity", 2)
    assert found[1] == f"{unseen['mean']:.4f} ({unseen['low']:.4f}–{unseen['high']:.4f})"


def test_rows_are_told_by_their_commands(lines):
    start = lines.index("### The rows")
    assert cells(lines[start:], "| small") == [
        "small: a small SASRec",
        "`cocorec train --model sasrec --backbone bsarec --dim 8 --ffn-dim 8 --epochs 80 --patience 80`",
    ]
    assert cells(lines[start:], "| again")[1] == "`cocorec train --model popularity`, the runs of `popularity`"


def test_nothing_to_tell_is_an_error(made, capsys, tmp_path):
    assert main([str(made.runs), "--plan", str(made.plan), "--split", "valid"]) == 3
    assert "has no run that is finished on the valid split" in capsys.readouterr().err
    assert main([str(tmp_path / "none"), "--plan", str(made.plan)]) == 2
    assert "none does not exist" in capsys.readouterr().err
