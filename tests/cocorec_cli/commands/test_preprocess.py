"""``cocorec preprocess`` as it is typed."""

import json
import subprocess
import sys

import pytest

from cocorec_cli.config import read_config
from cocorec_cli.main import app
from stages.artifacts.names import ITEMS
from stages.artifacts.tables import read_table

START = 1_600_000_000


@pytest.fixture
def files(tmp_path):
    rows = [f"u{u},i{(u + n) % 5},{START + 86_400 * n}\n" for u in range(4) for n in range(6)]
    (tmp_path / "log.csv").write_text("user_id,item_id,timestamp\n" + "".join(rows))
    lines = [{"item_id": f"i{i}", "name": f"n{i}", "maker": None if i else "m, n"} for i in range(7)]
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + "{\n")


def test_every_new_way_at_once(cli, tmp_path, files):
    outcome = cli(
        *("preprocess", "log.csv", "--items", "texts.json*", "--k-core", 0, "--json"),
        *("--split", "temporal", "--targets", "all", "--valid-from", "2020-09-17", "--test-from", START + 5 * 86_400),
        *("--views", "title=name", "--view-template", "text={name}[, by {maker}]", "--keep-cold-items"),
        *("--max-bad-rows", 1, "--since", "2020-09-14", "--sample-users", 3, "--seed", 1),
    )
    assert outcome.code == 0
    facts = json.loads(outcome.out)["result"]["facts"]
    assert (facts["users"], facts["items"], facts["cold_items"], facts["split"]) == (3, 7, 2, "temporal")
    assert [facts[f"{part}_interactions"] for part in ("train", "valid", "test")] == [9, 3, 3]
    assert facts["bad_rows"] == {"texts.jsonl": [8]}
    assert "texts.jsonl: malformed lines were skipped: 8" in outcome.err
    rows = read_table(tmp_path / "artifacts" / ITEMS).to_pylist()
    assert [(row["title"], row["text"]) for row in rows[:2]] == [("n0", "n0, by m, n"), ("n1", "n1")]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--targets", "all"], "belong to a temporal split"),
        (
            ["--split", "temporal", "--valid-from", "soon", "--test-from", "later"],
            "--valid-from soon is neither a date",
        ),
        (["--view-template", "text={name}"], "--view-template needs item metadata"),
        (["--since", "2020-09-14", "--time-column", "item_id"], "holds 'i0', which is not a time"),
    ],
)
def test_what_does_not_fit_is_said(cli, files, options, said):
    outcome = cli("preprocess", "log.csv", "--k-core", 0, *options)
    assert outcome.code == (3 if "is not a time" in said else 2)
    assert said in outcome.err


def test_addresses_in_the_configuration_stay_addresses(tmp_path):
    from typer.main import get_command

    path = tmp_path / "c.toml"
    path.write_text("[preprocess]\ninputs = ['https://host/log.csv', 'logs/*.csv']\nitems = 's3://bucket/meta.jsonl'\n")
    defaults, _ = read_config(path, get_command(app))
    assert defaults["preprocess"] == {
        "inputs": ["https://host/log.csv", str(tmp_path / "logs/*.csv")],
        "items": ["s3://bucket/meta.jsonl"],
    }


def test_a_cluster_leaves_standard_output_to_the_result(ray_cluster, tmp_path, files):
    address = ray_cluster.get_runtime_context().gcs_address
    command = [sys.executable, "-m", "cocorec_cli", "preprocess", "log.csv", "--k-core", "0", "--json"]
    command += ["--engine", "ray", "--address", address]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"]["facts"]["interactions"] == 24
    said = done.stderr.splitlines()
    assert f"computing on the Ray cluster at {address}: 2 CPUs" in said
    assert not [line for line in said if "ray" in line.lower() and not line.startswith("computing on")]


def test_an_address_without_its_engine_is_refused(cli, files):
    outcome = cli("preprocess", "log.csv", "--address", "auto")
    assert outcome.code == 2
    assert outcome.err.startswith("error: --address is that of a Ray cluster")
