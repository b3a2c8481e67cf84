import shutil
from pathlib import Path

import pytest

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.names import CODES, EMBEDDINGS, HISTORY, METRICS, REPORT
from stages.report import ReportOptions, report


def test_the_same_artifacts_give_the_same_bytes_and_stay_as_they_are(runs, tmp_path: Path) -> None:
    workdir = shutil.copytree(runs.cocorec, tmp_path / "elsewhere")
    before = {path: path.read_bytes() for path in workdir.rglob("*") if path.is_file()}
    first = report(ReportOptions(resamples=20), workdir=workdir)
    assert first.outputs == {REPORT: workdir / REPORT}
    content = (workdir / REPORT).read_bytes()
    assert first.facts == {"run": "cocorec", "compared_with": [], "users_shown": 20, "bytes": len(content)}
    assert {path: path.read_bytes() for path in before} == before
    assert set(workdir.rglob("*")) - set(before) - set(runs.cocorec.rglob("*")) >= {workdir / REPORT}
    report(ReportOptions(resamples=20, output=tmp_path / "again.html"), workdir=runs.cocorec)
    assert (tmp_path / "again.html").read_bytes() == content
    assert str(tmp_path).encode() not in content


def test_what_is_not_made_yet_is_said(structured: Path) -> None:
    (structured / CODES).unlink()
    report(workdir=structured)
    page = (structured / REPORT).read_text()
    for stage in ("quantize", "train", "evaluate"):
        assert f"Not made yet: cocorec {stage} makes it." in page
    assert 'id="users"' not in page


def test_users_and_name_are_options(runs, tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    options = ReportOptions(users=3, name="Tonight <1>", title="brand", output=path, resamples=5)
    assert report(options, workdir=runs.popularity).facts["users_shown"] == 3
    page = path.read_text()
    assert page.count("<article") == 3
    assert "<title>cocorec report: Tonight &lt;1&gt;</title>" in page
    assert "brand 3" in page and "title 3" not in page


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"metrics": ("ndgc@10",)}, "unknown metric 'ndgc@10'"),
        ({"metrics": (" ",)}, "--metrics names no metric"),
        ({"history_buckets": (5, 5)}, "--history-buckets must be ascending"),
        ({"name": "a=b"}, "--name 'a=b' is no name for a run"),
        ({"users": -1}, "--users must be at least 0"),
        ({"runs": ("x",)}, "nothing compares them"),
    ],
)
def test_options_that_do_not_fit(runs, options, expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        report(ReportOptions(**options), workdir=runs.cocorec)
    assert not (runs.cocorec / REPORT).exists()


def test_other_runs_need_an_evaluation(structured: Path) -> None:
    with pytest.raises(UsageError, match=r"metrics\.json does not exist\nRun `cocorec evaluate` first"):
        report(ReportOptions(runs=("x",)), workdir=structured, compare=lambda **values: {})


@pytest.mark.parametrize("name", [METRICS, HISTORY, EMBEDDINGS])
def test_a_damaged_file_is_named_and_the_page_stays(runs, tmp_path: Path, name: str) -> None:
    workdir = shutil.copytree(runs.cocorec, tmp_path / "w")
    (workdir / REPORT).write_text("before")
    content = bytearray((workdir / name).read_bytes())
    content[len(content) // 2] ^= 1
    (workdir / name).write_bytes(content)
    with pytest.raises(DataError, match=Path(name).name):
        report(workdir=workdir)
    assert (workdir / REPORT).read_text() == "before"
