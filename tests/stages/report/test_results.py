import json
from dataclasses import replace

import pytest
from report_parts import cells, table_of

from stages.artifacts.errors import DataError
from stages.artifacts.names import METRICS
from stages.compare import CompareOptions, compare
from stages.report.options import ReportOptions
from stages.report.parts import Section
from stages.report.ranks import read_ranks
from stages.report.results import measured, results_section
from stages.report.source import Source
from stages.report.told import Told

OPTIONS = ReportOptions(resamples=50)


@pytest.fixture(scope="module")
def comparison(runs):
    given = (f"mine={runs.cocorec}", f"counts={runs.popularity}")
    return compare(CompareOptions(runs=given, resamples=50))


@pytest.fixture(scope="module")
def section(source: Source, comparison) -> Section:
    return results_section(source, OPTIONS, read_ranks(source), "mine", comparison)


def test_metrics_are_those_of_metrics_json_beside_popularity_and_the_other_run(section: Section, runs) -> None:
    own, other = (json.loads((workdir / METRICS).read_text()) for workdir in (runs.cocorec, runs.popularity))
    for protocol in ("all_items", "exclude_seen"):
        table = table_of(section, f"metrics-{protocol}")
        assert [table.columns[i] for i in (1, 3, 5)] == ["mine", "popularity baseline", "counts"]
        expected = own["protocols"][protocol]
        for row, shown in zip(cells(table), table.rows, strict=True):
            metric = row[0]
            assert row[1] == expected["metrics"][metric]["mean"]
            assert row[3] == expected["popularity"][metric]["mean"]
            assert row[5] == other["protocols"][protocol]["metrics"][metric]["mean"]
            low, high = (f"{expected['metrics'][metric][end]:.4f}" for end in ("low", "high"))
            assert shown[2].text.split() == [low, "to", high]
        assert [row[0] for row in cells(table)] == list(expected["metrics"])


def test_differences_and_slices_are_those_of_compare(section: Section, comparison) -> None:
    rows = cells(table_of(section, "differences"))
    found = comparison["differences"]
    assert [(row[0], row[1], row[2], row[5], row[6]) for row in rows] == [
        (row["metric"], row["run"], row["difference"], row["p"], row["p_holm"]) for row in found
    ]
    sliced = [
        row for by in ("history-length", "item-popularity") for row in table_of(section, f"differences-{by}").rows
    ]
    assert len(sliced) == len(comparison["slices"])
    assert {row[0].text for row in sliced} == {row["slice"] for row in comparison["slices"]}
    assert list(section.notes) == comparison["notes"]


def test_charts_show_the_metrics_that_were_asked_for(source: Source) -> None:
    alone = results_section(source, replace(OPTIONS, metrics=("recall@5",)), read_ranks(source), "mine", None)
    assert [chart.title for chart in alone.charts] == [
        "Recall@5 with 95 % intervals",
        "Recall@5 by history length",
        "Recall@5 by item popularity",
    ]
    assert not [table.id for table in alone.tables if table.id.startswith("differences")]
    assert dict(alone.figures).keys() == {"recall@5"}
    beyond = source.told(METRICS).values["beyond_accuracy"]
    assert dict(cells(table_of(alone, "beyond"))) == {name: pytest.approx(value) for name, value in beyond.items()}


def test_a_run_may_be_called_like_the_baseline(runs) -> None:
    source = Source.open(runs.popularity, None)
    section = results_section(source, OPTIONS, read_ranks(source), "popularity baseline", None)
    found = json.loads((runs.popularity / METRICS).read_text())["protocols"]["all_items"]
    for row in cells(table_of(section, "metrics-all_items")):
        assert (row[1], row[3]) == (found["metrics"][row[0]]["mean"], found["popularity"][row[0]]["mean"])


def test_metrics_without_intervals_are_refused(source: Source) -> None:
    told = Told(source.path(METRICS), {"metrics": {"mrr": {"mean": 0.5, "low": 0.4}}})
    with pytest.raises(DataError, match=r"metrics.json: mrr has no mean with its interval"):
        measured(told, ("metrics",))
    assert measured(told, ("protocols", "all_items")) == {}
