import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cocorec_cli.report import print_markdown


@pytest.fixture
def runs(tmp_path: Path) -> list[str]:
    """Two tables of ranks of 40 users, of which the second is better for all."""
    users = [f"u{i:02}" for i in range(40)]
    lengths = [3] * 20 + [8] * 20
    for name, ranks in (("old", [12] * 40), ("new", [1] * 40)):
        table = {"user_id": users, "target": list(range(1, 41)), "rank": ranks, "history_length": lengths}
        pq.write_table(pa.table(table), tmp_path / f"{name}.parquet")
    return ["old.parquet", "new.parquet"]


def test_tables(cli, runs):
    outcome = cli("compare", *runs, "--resamples", "999")
    assert outcome.code == 0
    lines = [re.split(r"\s{2,}", line.strip()) for line in outcome.out.splitlines()]
    at = lines.index(["ndcg@10: difference from old"])
    assert lines[at + 1] == ["run", "mean", "difference", "95 % interval", "relative", "p", "p (Holm)"]
    assert lines[at + 2] == ["old", "0.0000"]
    assert lines[at + 3] == ["new", "1.0000", "+1.0000", "+1.0000 to +1.0000", "-", "0.0010", "0.0020"]
    assert ["1-5", "20", "new", "1.0000", "0.0000", "+1.0000"] in [line[:6] for line in lines]
    assert "recall@10 by history length: difference from old" in outcome.out
    assert "two-sided paired randomization test over users, 999 resamples; Holm" in outcome.out
    assert "no slices by item popularity" in outcome.out


def test_markdown(cli, runs):
    outcome = cli("compare", *runs, "--resamples", "99", "--markdown", "--metrics", "recall@20,mrr")
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    at = lines.index("**mrr: difference from old**")
    assert lines[at + 2] == "| run | mean | difference | 95 % interval | relative | p | p (Holm) |"
    assert lines[at + 3] == "| --- | --- | --- | --- | --- | --- | --- |"
    assert lines[at + 4] == "| old | 0.0833 |  |  |  |  |  |"
    assert lines[at + 5].startswith("| new | 1.0000 | +0.9167 |")


def test_markdown_escapes_what_would_end_a_cell(capsys):
    print_markdown(["a|b"], [["c\\d"]])
    assert capsys.readouterr().out == "| a\\|b |\n| --- |\n| c\\\\d |\n"


def test_json_is_one_object(cli, runs):
    outcome = cli("compare", *runs, "--json", "--resamples", "99", "--baseline", "new", "--history-buckets", "4")
    value = json.loads(outcome.out)["result"]
    assert (value["baseline"], value["method"]["resamples"]) == ("new", 99)
    assert {row["slice"] for row in value["slices"]} == {"1-4", "5+"}
    assert [row["p"] for row in value["differences"]] == [0.01, 0.01]


def test_options_come_from_the_environment(cli, runs, monkeypatch):
    monkeypatch.setenv("COCOREC_COMPARE_METRICS", "mrr")
    value = json.loads(cli("compare", *runs, "--json", "--resamples", "9").out)["result"]
    assert [row["metric"] for row in value["differences"]] == ["mrr"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["old.parquet"], 2, "at least two runs"),
        (["old.parquet", "gone"], 2, "gone does not exist"),
        (["old.parquet", "new.parquet", "--json", "--markdown"], 2, "--json and --markdown exclude each other"),
        (["old.parquet", "new.parquet", "--metrics", "precision@5"], 2, "unknown metric 'precision@5'"),
        (["old.parquet", "text.parquet"], 3, "text.parquet is damaged or not a Parquet file"),
    ],
)
def test_errors(cli, runs, tmp_path, arguments, code, said):
    (tmp_path / "text.parquet").write_text("no table")
    outcome = cli("compare", *arguments)
    assert (outcome.code, said in outcome.err) == (code, True)
    if "--json" in arguments:
        assert said in json.loads(outcome.out)["error"]["message"]
    else:
        assert outcome.out == ""
