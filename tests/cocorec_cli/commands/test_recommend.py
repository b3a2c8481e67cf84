"""What ``recommend`` and ``similar`` print, and where."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from whole_histories import write_histories

from stages.artifacts.names import RECOMMENDATIONS
from stages.train import TrainOptions, train


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory: pytest.TempPathFactory, make_structured) -> Path:
    folder = make_structured(tmp_path_factory.mktemp("trained") / "artifacts")
    write_histories(folder)
    train(TrainOptions(model="text", epochs=1, dim=8, ffn_dim=8, layers=1, text_dim=4, device="cpu"), workdir=folder)
    return folder


@pytest.fixture(autouse=True)
def workdir(trained_once, tmp_path) -> Path:
    """The work directory where the commands look for it."""
    (tmp_path / "artifacts").symlink_to(trained_once)
    return trained_once


def test_a_table_with_the_first_lists_within_80_columns(cli, workdir):
    outcome = cli("recommend", "--with", "title,brand", "--device", "cpu", "--quiet")
    assert (outcome.code, outcome.err) == (0, "")
    report, _, lists = outcome.out.partition("\nthe first lists\n")
    assert report.startswith("recommend: made recommendations.parquet in ")
    assert "seen items                 left in, ranked by what the model learnt of repeats" in report
    header, *rows = lists.splitlines()
    assert header.split() == ["user", "item", "title", "brand", "score"]
    table = pq.read_table(workdir / RECOMMENDATIONS).to_pylist()
    assert [row.split()[:2] for row in rows] == [
        [row["user_id"], item] for row in table[:3] for item in row["item_ids"][:3]
    ]
    assert max(map(len, outcome.out.splitlines())) <= 80
    again = cli("recommend", "--with", "title,brand", "--device", "cpu", "--quiet")
    assert "up to date" in again.out and "the first lists" in again.out


def test_json_is_one_object(cli):
    value = json.loads(cli("recommend", "--top", "3", "--device", "cpu", "--json").out)["result"]
    assert (value["stage"], value["facts"]["top"], value["facts"]["users"]) == ("recommend", 3, 300)


def test_lists_on_standard_output_and_the_report_on_standard_error(cli):
    outcome = cli("recommend", "--users", "user-001,user-002", "--output", "-", "--device", "cpu")
    lines = [json.loads(line) for line in outcome.out.splitlines()]
    assert [line["user_id"] for line in lines] == ["user-001", "user-002"]
    assert "recommend: made standard output in" in outcome.err
    refused = cli("recommend", "--output", "-", "--json")
    assert (refused.code, json.loads(refused.out)["error"]["kind"]) == (2, "usage")
    assert "both print on standard output" in refused.err


def test_seen_items_are_left_out_or_in(cli):
    for flag, said in (("--exclude-seen", "left out, as asked"), ("--include-seen", "left in, as asked")):
        found = json.loads(cli("recommend", flag, "--device", "cpu", "--json").out)["result"]
        assert found["facts"]["seen_items"] == said


def test_similar_items_with_titles(cli, tmp_path):
    outcome = cli("similar", "item-001", "item-002", "--top", "2", "--device", "cpu")
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert [lines[0], lines[4]] == ["item-001", "item-002"]
    assert lines[1].split() == ["item", "cosine", "title"]
    found = json.loads(cli("similar", "--all", "--by", "text", "--top", "2", "--device", "cpu", "--json").out)["result"]
    assert found["by"] == "text"
    assert [item["item_id"] for item in found["items"]] == [f"item-{i:03}" for i in range(60)]
    assert set(found["items"][0]["similar"][0]) == {"item", "cosine", "title"}
    assert cli("similar", "--all", "--top", "2", "--device", "cpu", "--output", "s.csv").code == 0
    assert (tmp_path / "s.csv").read_text().splitlines()[0] == '"item_id","rank","similar_id","score","title"'


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["similar"], "name items, or take them with --all"),
        (["similar", "item-001", "--all"], "name items, or take them with --all"),
        (["similar", "nothing"], "there is no item 'nothing'"),
        (["similar", "item-001", "--top", "61"], "--top must be from 1 to 60"),
        (["recommend", "--output", "x.txt"], "unknown ending"),
    ],
)
def test_wrong_usage(cli, args, said):
    outcome = cli(*args)
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.err
