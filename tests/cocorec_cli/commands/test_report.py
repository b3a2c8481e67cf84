import json
import shutil
from pathlib import Path

import pytest

from cocorec_cli.main import main
from stages.artifacts.names import REPORT


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory, make_structured) -> Path:
    """A work directory after an evaluation, not to be written to."""
    workdir = make_structured(tmp_path_factory.mktemp("evaluated") / "w")
    for command in (["train", "--model=popularity"], ["evaluate", "--resamples=10", "--device=cpu"]):
        assert main([*command, f"--workdir={workdir}", "--quiet", "--json"]) == 0
    return workdir


def test_it_ends_with_the_path_of_the_page(cli, evaluated, tmp_path):
    shutil.copytree(evaluated, tmp_path / "w")
    outcome = cli("report", "-w", "w")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("report: made report.html in ")
    assert outcome.out.splitlines()[-1] == "open w/report.html"
    assert (tmp_path / "w" / REPORT).is_file()


def test_json_output_and_another_run(cli, evaluated, tmp_path):
    shutil.copytree(evaluated, tmp_path / "w")
    value = json.loads(cli("report", "-w", "w", "--json", "-q", "--output", "r.html", f"twin={evaluated}").out)[
        "result"
    ]
    assert value["outputs"] == {REPORT: "r.html"}
    assert value["facts"]["compared_with"] == [f"twin={evaluated}"]
    page = (tmp_path / "r.html").read_text()
    assert value["facts"]["bytes"] == len(page.encode())
    assert "Differences from popularity" in page and "twin" in page
    assert not (tmp_path / "w" / REPORT).exists()


@pytest.mark.parametrize(
    ("args", "code", "expected"),
    [
        (["missing"], 2, "'missing': missing does not exist"),
        (["popularity=w"], 2, "two runs are called 'popularity'"),
        (["--title", "colour"], 2, "--title 'colour' is no view of w/items.parquet"),
        (["--metrics", "ndgc@10"], 2, "unknown metric 'ndgc@10'"),
        (["-w", "nothing"], 3, "nothing/items.parquet does not exist"),
        (["--output", "w/items.parquet/r.html"], 3, "cannot write w/items.parquet/r.html"),
    ],
)
def test_mistakes(cli, evaluated, tmp_path, args, code, expected):
    shutil.copytree(evaluated, tmp_path / "w")
    outcome = cli("report", "-w", "w", *args)
    assert (outcome.code, outcome.out) == (code, "")
    assert expected in outcome.err and "Traceback" not in outcome.err


def test_the_configuration_file_has_a_table_for_it(cli, evaluated, tmp_path):
    shutil.copytree(evaluated, tmp_path / "w")
    (tmp_path / "c.toml").write_text('workdir = "w"\n[report]\nusers = 2\nname = "tonight"\n')
    assert cli("report", "--config", "c.toml").code == 0
    page = (tmp_path / "w" / REPORT).read_text()
    assert (page.count("<article"), "<title>cocorec report: tonight</title>" in page) == (2, True)
