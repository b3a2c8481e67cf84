import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from report_parts import cells, table_of

from stages.artifacts.errors import DataError
from stages.artifacts.history import history_table
from stages.artifacts.lineage import Lineage, read_lineage
from stages.artifacts.names import CODES, HISTORY
from stages.artifacts.tables import open_table, write_table
from stages.report.source import Source
from stages.report.training import best_epoch, training_section


def test_the_first_of_the_best_epochs_is_the_best() -> None:
    rows = [{"epoch": n, "ndcg@10": value} for n, value in enumerate([0.1, 0.3, 0.3, None, 0.2], 1)]
    assert best_epoch(rows) == 2


def test_curves_and_table_are_those_of_the_log(source: Source) -> None:
    with open_table(source.path(HISTORY)) as file:
        log = file.read().to_pylist()
    section = training_section(source)
    rows = cells(table_of(section, "epochs"))
    assert [row[0] for row in rows] == [1, 2, 3]
    names = [name.replace(" ", "_") for name in table_of(section, "epochs").columns]
    assert rows == [[entry[name] for name in names] for entry in log]
    assert [chart.title for chart in section.charts] == ["Losses", "Validation"]
    assert f"loss from {log[0]['loss']:.4g} to {log[-1]['loss']:.4g}" in section.charts[0].description
    assert dict(section.figures)["best epoch"] == str(source.told(HISTORY).count("best_epoch"))
    assert section.notes == []


def test_a_model_that_counts_has_no_losses(runs) -> None:
    section = training_section(Source.open(runs.popularity, None))
    assert [chart.title for chart in section.charts] == ["Validation"]
    assert dict(section.figures)["weights"] == "–"


def test_values_that_are_missing_or_not_finite_are_left_out(structured: Path) -> None:
    (structured / "model").mkdir()
    rows = [{"epoch": 1, "step": 3, "loss": float("nan"), "ndcg@10": None}, {"epoch": 2, "step": 6, "loss": 1.0}]
    write_table(structured / HISTORY, history_table(rows), Lineage("train", {}, {}))
    section = training_section(Source.open(structured, None))
    assert [chart.title for chart in section.charts] == ["Losses"]
    assert cells(table_of(section, "epochs"))[0] == [1, "–", "–"]


def test_columns_that_are_no_numbers_are_refused(structured: Path) -> None:
    (structured / "model").mkdir()
    write_table(structured / HISTORY, pa.table({"epoch": ["one"]}), Lineage("train", {}, {}))
    with pytest.raises(DataError, match=r"history.parquet: column 'epoch' has type string"):
        training_section(Source.open(structured, None))


def test_a_model_of_an_earlier_state_of_the_data_is_said(source: Source, tmp_path: Path) -> None:
    workdir = shutil.copytree(source.workdir, tmp_path / "w")
    with open_table(workdir / CODES) as file:
        table = file.read()
    changed = table.set_column(1, table.schema.field(1), table["codes"].combine_chunks().take(pa.array([0] * 60)))
    write_table(workdir / CODES, changed, Lineage("quantize", {}, {}))
    for name in ("metrics.json", "ranks.parquet", "backtest.parquet"):
        (workdir / name).unlink()
    [note] = training_section(Source.open(workdir, None)).notes
    assert "earlier state" in note
    lineage = read_lineage(workdir / HISTORY)
    assert lineage is not None
    with open_table(workdir / HISTORY) as file:
        log = file.read()
    write_table(workdir / HISTORY, log, Lineage("train", {**lineage.options, "seed": 9}, lineage.inputs))
    assert "another training run" in training_section(Source.open(workdir, None)).notes[0]
