import json

from benchmarks.quality.plan import read_plan
from benchmarks.quality.results import read_results


def test_figures_are_those_that_the_commands_wrote(made):
    results = read_results(made.runs, read_plan(made.plan), "invented", "test")
    assert {name: [run.seed for run in found] for name, found in results.rows.items()} == {
        "small": [0, 1],
        "popularity": [0],
        "again": [0],
    }
    assert results.looks == 3
    assert results.unfinished == []
    for found in results.rows.values():
        for run in found:
            told = json.loads((run.folder / "metrics.json").read_text())
            assert run.evaluated["protocols"] == told["protocols"]
            assert run.evaluated["unseen_targets"] > 0
            assert run.cpu_to_best > 0.1


def test_runs_of_other_options_are_not_taken(made, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text(made.plan.read_text().replace("dim = 8, ffn_dim = 8", "dim = 8, ffn_dim = 16"))
    results = read_results(made.runs, read_plan(plan), "invented", "test")
    assert list(results.rows) == ["popularity", "again"]
    assert results.unfinished == ["small seed 0", "small seed 1"]


def test_another_split_has_no_results(made):
    results = read_results(made.runs, read_plan(made.plan), "invented", "valid")
    assert (results.rows, results.looks) == ({}, 0)


def test_the_course_of_a_run_tells_when_validation_was_how_good(made):
    results = read_results(made.runs, read_plan(made.plan), "invented", "test")
    for run in (run for found in results.rows.values() for run in found):
        best = max(reached for reached, _ in run.course)
        assert best <= run.trained["validation"]["ndcg@10"]  # after calibration
        assert len(run.course) == run.trained["epochs"]
        assert run.cpu_to_reach(best) == run.cpu_to_best
        assert run.cpu_to_reach(0.0) == run.course[0][1] <= run.cpu_to_best
        assert run.cpu_to_reach(best + 1e-6) is None
