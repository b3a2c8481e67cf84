"""Both commands that fetch, before servers that do wrong: an error that names the address, soon, and nothing kept."""

import re
import time

import pytest
from misbehaving import BODY, MISBEHAVIOURS, misbehaving, sending

from cocorec_cli.main import main
from stages.preprocess.sources import remote

SECONDS = 0.4
"""For which a server may be silent here."""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch, tmp_path):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(remote, "_SECONDS", SECONDS)
    monkeypatch.chdir(tmp_path)


def test_there_are_as_many_as_there_have_to_be():
    assert len(MISBEHAVIOURS) >= 49


@pytest.mark.parametrize("name", MISBEHAVIOURS)
def test_preprocess(name, tmp_path, capsys):
    serve, said = MISBEHAVIOURS[name]
    began = time.monotonic()
    with misbehaving(serve) as address:
        code = main(["preprocess", f"{address}/log.csv", "--k-core", "0", "--workdir", "work"])
    err = capsys.readouterr().err
    assert (code, "Traceback" in err) == (3, False), err
    assert "error: " in err and "hint: " in err
    assert re.search(said, err), err
    assert address in err or "unpacks" in err
    assert time.monotonic() - began < 20
    assert [path.name for path in (tmp_path / "work").rglob("*.tmp-*")] == []
    assert not (tmp_path / "work" / "sequences.parquet").exists()


@pytest.mark.parametrize("name", [name for name in MISBEHAVIOURS if name != "sends a bomb"])
def test_download(name, capsys):
    serve = MISBEHAVIOURS[name][0]
    expected = 2 if name == "is gone" else 3  # the category may be misspelt
    limits = ["--retries", "0", "--timeout", str(SECONDS), "--to", "data"]
    with misbehaving(serve) as address:
        code = main(["download", "amazon-2023", "Toys", "--base-url", address, *limits])
    err = capsys.readouterr().err
    assert (code, "Traceback" in err) == (expected, False), err
    assert "error: " in err and address in err


def test_one_that_does_nothing_wrong(tmp_path):
    with misbehaving(sending(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY))) as address:
        assert main(["preprocess", f"{address}/log.csv", "--k-core", "0", "--workdir", "work", "--quiet"]) == 0
    assert (tmp_path / "work" / "sequences.parquet").exists()
