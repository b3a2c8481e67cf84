import shutil

from benchmarks.quality.folders import is_finished, link_evaluation, link_run, prepared_folder, run_folder
from stages.evaluate.options import EvaluateOptions
from stages.train.options import TrainOptions


def test_links_lead_to_what_was_prepared_wherever_the_runs_lie(tmp_path):
    runs = tmp_path / "runs"
    prepared = prepared_folder(runs, "shop")
    prepared.mkdir(parents=True)
    (prepared / "items.parquet").write_text("items")
    run = run_folder(runs, "shop", "text", 3)
    for _ in range(2):  # the second time all is there
        link_run(prepared, run)
    assert (run / "items.parquet").is_symlink()
    assert not (run / "codes.parquet").is_symlink()
    (run / "model").mkdir()
    evaluated = link_evaluation(run, "valid")
    moved = tmp_path / "moved"
    shutil.move(runs, moved)
    again = moved / evaluated.relative_to(runs)
    assert (again / "items.parquet").read_text() == "items"
    assert (again / "model").is_dir()


def test_finished_is_what_was_run_with_these_options_on_these_inputs(made):
    folder = run_folder(made.runs, "invented", "popularity", 0)
    options = TrainOptions(model="popularity")
    assert is_finished(folder, "train", options)
    assert not is_finished(folder, "train", TrainOptions(model="popularity", seed=1))
    assert is_finished(folder / "test", "evaluate", EvaluateOptions())
    assert not is_finished(folder / "test", "evaluate", EvaluateOptions(split="valid"))
    assert not is_finished(folder, "evaluate", EvaluateOptions())
