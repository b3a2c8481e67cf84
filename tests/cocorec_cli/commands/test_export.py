"""What ``export`` prints, and how it ends."""

import json
import shutil

import pytest
from exporting import trained_in


@pytest.fixture(scope="module")
def trained_once(make_structured, tmp_path_factory):
    return trained_in(make_structured(tmp_path_factory.mktemp("trained") / "artifacts"))


@pytest.fixture
def workdir(trained_once, tmp_path):
    return shutil.copytree(trained_once, tmp_path / "artifacts")


def test_the_recall_is_printed_within_a_terminal(cli, workdir):
    outcome = cli("export", "--formats", "vectors,index", "--index", "hnsw", "--device", "cpu")
    assert outcome.code == 0, outcome.err
    assert "index: recall" in outcome.out and "index: kind" in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 80
    again = cli("export", "--formats", "vectors,index", "--index", "hnsw", "--device", "cpu")
    assert "up to date, nothing to do" in again.out


def test_as_json_and_into_another_folder(cli, workdir, tmp_path):
    outcome = cli("export", "--formats", "index,card", "--output", tmp_path / "out", "--device", "cpu", "--json")
    found = json.loads(outcome.out)["result"]
    assert found["facts"]["index"]["recall"] == 1 and found["facts"]["differences"]["scores"] <= 1e-5
    assert found["outputs"] == {"out/": str(tmp_path / "out"), "model/README.md": "artifacts/model/README.md"}
    assert "index.faiss" in found["facts"]["files"]
    assert not (workdir / "export").exists()


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["--formats", "vectors,csv"], 2, "--formats 'csv' is unknown"),
        (["--index", "annoy"], 2, "annoy"),
        (["--top", "61", "--formats", "index"], 2, "--top must be from 1 to 60"),
        (["--workdir", "nothing"], 3, "config.json does not exist"),
    ],
)
def test_mistakes_of_the_user(cli, workdir, args, code, said):
    outcome = cli("export", "--device", "cpu", *args)
    assert (outcome.code, "Traceback" in outcome.err) == (code, False)
    assert said in outcome.err and outcome.out == ""


def test_options_in_the_configuration_file(cli, workdir, tmp_path):
    (tmp_path / "c.toml").write_text('[export]\nformats = ["index"]\nindex = "flat"\ndevice = "cpu"\n')
    assert cli("export", "--config", "c.toml").code == 0
    assert cli("status", "--config", "c.toml").out.count("export/export.json") == 1
    (tmp_path / "c.toml").write_text('[export]\nformats = ["index"]\nindex = "hnsw"\ndevice = "cpu"\n')
    assert 'option index was "flat", is "hnsw"' in cli("status", "--config", "c.toml").out


def test_a_foreign_model_is_recommended_with_or_refused(cli, workdir, tmp_path):
    shutil.move(workdir / "model", tmp_path / "downloaded")
    ended = cli("recommend", "--model-from", "downloaded", "--device", "cpu", "--json")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["result"]["facts"]["users"] == 300
    (tmp_path / "downloaded" / "config.json").write_text("{}")
    for folder, code in (("downloaded", 3), ("artifacts", 3), ("nowhere", 3)):
        ended = cli("recommend", "--model-from", folder, "--device", "cpu")
        assert (ended.code, "--model-from" in ended.err or "config.json" in ended.err) == (code, True), ended
