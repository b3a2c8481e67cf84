import json
from pathlib import Path

import pyarrow as pa
import pytest

from stages.artifacts import names
from stages.artifacts.fingerprints import Fingerprints
from stages.artifacts.lineage import RAW, Lineage
from stages.artifacts.tables import write_table


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    """A work directory after preprocess, beside its raw input and a configuration file."""
    workdir, log = tmp_path / "artifacts", tmp_path / "log.csv"
    workdir.mkdir()
    log.write_text("user_id,item_id\n")
    lineage = Lineage(
        "preprocess",
        {"k_core": 3, "user_column": "user_id", "rating_column": None},
        {f"{RAW}log.csv": Fingerprints(workdir).of(log)},
    )
    for name in (names.ITEMS, names.SEQUENCES):
        write_table(workdir / name, pa.table({"item": [1, 2]}), lineage)
    (tmp_path / "c.toml").write_text("[preprocess]\ninputs = ['log.csv']\nk_core = 3\n")
    return workdir


def _found(cli, *args: str) -> dict[str, tuple[str, str]]:
    outcome = cli("status", "--json", *args)
    assert outcome.code == 0
    return {
        found["file"]: (found["state"], found["reason"]) for found in json.loads(outcome.out)["result"]["artifacts"]
    }


def test_table(cli, workdir):
    outcome = cli("status")
    assert outcome.code == 0
    rows = {line.split()[0]: line.split()[1:] for line in outcome.out.splitlines()[2:]}
    assert rows["items.parquet"][:2] == ["fresh", "preprocess"]
    assert rows["embeddings.parquet"] == ["missing", "embed", "-", "run", "`cocorec", "embed`"]


def test_raw_inputs_are_compared_where_the_configuration_names_them(cli, workdir, tmp_path):
    assert _found(cli)["items.parquet"] == ("fresh", "up to date; log.csv not compared")
    assert _found(cli, "--config", "c.toml")["items.parquet"] == ("fresh", "up to date")
    (tmp_path / "log.csv").write_text("user_id,item_id\nu,i\n")
    assert _found(cli, "--config", "c.toml")["items.parquet"] == ("stale", "log.csv has changed since")


def test_options_of_the_configuration_are_compared(cli, workdir, tmp_path, monkeypatch):
    (tmp_path / "c.toml").write_text("[preprocess]\nk_core = 5\n")
    assert _found(cli, "--config", "c.toml")["items.parquet"] == ("stale", "option k_core was 3, is 5")
    monkeypatch.setenv("COCOREC_PREPROCESS_K_CORE", "3")
    assert _found(cli, "--config", "c.toml")["items.parquet"][0] == "fresh"


def test_damage_is_told_and_ends_with_exit_code_3(cli, workdir):
    path = workdir / names.SEQUENCES
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)
    assert cli("status").code == 0
    outcome = cli("status", "--verify")
    assert outcome.code == 3
    assert "error: damaged in artifacts: sequences.parquet" in outcome.err
    assert ["sequences.parquet", "damaged"] in [line.split()[:2] for line in outcome.out.splitlines()]
