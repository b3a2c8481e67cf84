import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mirror import Fault, Mirror

from stages.artifacts.names import ITEMS, SEQUENCES

COCOREC = Path(sys.executable).with_name("cocorec")
TRAIN = "benchmark/5core/last_out_w_his/Video_Games.train.csv.gz"
META = "raw/meta_categories/meta_Video_Games.jsonl.gz"


@pytest.fixture
def games(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> Mirror:
    """A server with a category of three users and four items, named by the environment."""
    rows = {"train": ["u1,i2,i1", "u2,i3,i1", "u3,i4,i2"], "valid": [], "test": []}
    for user in ("u1", "u2", "u3"):
        first, second = rows["train"][int(user[1]) - 1].split(",")[:0:-1]
        rows["valid"].append(f"{user},i3,{first} {second}")
        rows["test"].append(f"{user},i4,{first} {second} i3")
    for part, lines in rows.items():
        table = ["user_id,parent_asin,rating,timestamp,history"]
        for at, (user, item, history) in enumerate(line.split(",") for line in lines):
            table.append(f"{user},{item},5.0,{len(history) * 1000 + at},{history}")
        text = "\n".join(table).encode() + b"\n"
        mirror.files[f"benchmark/5core/last_out_w_his/Video_Games.{part}.csv.gz"] = gzip.compress(text)
    items = [
        {"parent_asin": f"i{n}", "title": f"Game {n}", "features": [], "description": [], "categories": ["Games"]}
        for n in range(1, 5)
    ]
    mirror.files[META] = gzip.compress("".join(json.dumps(item) + "\n" for item in items).encode())
    monkeypatch.setenv("COCOREC_DOWNLOAD_BASE_URL", mirror.url)
    return mirror


def test_a_table_and_the_next_command_which_works(cli, games):
    outcome = cli("download", "amazon-2023", "Video_Games")
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    folder = Path("data/amazon-2023/Video_Games")
    assert lines[0].startswith(f"{folder}: done in ")
    rows = {line.split()[0]: line.split()[1:] for line in lines[2:-1]}
    assert rows["Video_Games.train.csv.gz"][0] == f"{len(games.files[TRAIN]):,}"
    assert rows["Video_Games.train.csv.gz"][2] == "downloaded"
    assert rows["total"] == [f"{sum(map(len, games.files.values())):,}"]
    start = "next: cocorec "
    assert lines[-1].startswith(start)
    following = cli(*lines[-1].removeprefix(start).split())
    assert following.code == 0, following.err
    assert Path("artifacts", ITEMS).is_file() and Path("artifacts", SEQUENCES).is_file()


def test_json_is_one_object(cli, games):
    outcome = cli("download", "amazon-2023", "Video_Games", "--to", "a folder", "--json")
    value = json.loads(outcome.out)["result"]
    assert (value["category"], value["folder"], value["skipped"]) == ("Video_Games", "a folder", False)
    assert value["next"].startswith("cocorec preprocess 'a folder/Video_Games.train.csv.gz' --items 'a folder/meta_")
    assert [set(row) for row in value["files"]] == [{"file", "bytes", "sha256", "state"}] * 4
    assert value["bytes"] == sum(row["bytes"] for row in value["files"])
    again = cli("download", "amazon-2023", "Video_Games", "--to", "a folder")
    assert "a folder: all files are there and unchanged" in again.out
    assert again.out.count("verified") == 4


@pytest.mark.parametrize(
    ("args", "code", "expected"),
    [
        (["amazon-2023", "Video_Game"], 2, ["the server has no", "Did you mean Video_Games?"]),
        (["amazon-2023", "../x"], 2, ["'../x' is not the name of a category"]),
        (["amazon-2023", "Video_Games", "--base-url", "ftp://x"], 2, ["--base-url", "for example https"]),
        (["amazon-2023", "Video_Games", "--max-size", "0.000000001"], 3, ["--max-size", "hint: "]),
        (["amazon-2023", "Video_Games", "--kind", "all"], 2, ["'--kind'"]),
        (["netflix", "all"], 2, ["amazon-2023"]),
        (["amazon-2023"], 2, ["CATEGORY"]),
    ],
)
def test_errors_name_the_remedy(cli, games, args, code, expected):
    outcome = cli("download", *args)
    assert (outcome.code, outcome.out) == (code, "")
    assert outcome.err.startswith("error: ")
    assert all(part.lower() in outcome.err.lower() for part in expected)
    assert "Traceback" not in outcome.err


def test_a_misspelt_variable_is_noticed(cli, games, monkeypatch):
    monkeypatch.setenv("COCOREC_DOWNLOAD_MAXSIZE", "1")
    assert (
        "COCOREC_DOWNLOAD_MAXSIZE in the environment is no option" in cli("download", "amazon-2023", "Video_Games").err
    )


def test_retries_are_told_and_quiet_is_quiet(cli, games, monkeypatch):
    monkeypatch.setattr("stages.download.transfer._FIRST_WAIT", 0.0)
    games.faults[TRAIN] = [Fault(status=500)]
    expected = "Video_Games.train.csv.gz: HTTP 500 Internal Server Error; trying again in 0 s\n"
    assert cli("download", "amazon-2023", "Video_Games").err == expected
    games.faults[TRAIN] = [Fault(status=500)]
    assert cli("download", "amazon-2023", "Video_Games", "--force", "--quiet").err == ""


def test_ctrl_c_keeps_the_partial_file_and_the_next_run_goes_on(games, tmp_path):
    whole = games.files[META] = gzip.compress(os.urandom(400_000))
    games.faults[META] = [Fault(cut=200_000, silent=60)]
    command = [COCOREC, "download", "amazon-2023", "Video_Games", "--to", "here"]
    part = tmp_path / "here" / "meta_Video_Games.jsonl.gz.part"
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not (part.is_file() and part.stat().st_size):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines() == ["interrupted by Ctrl-C; finished work is kept, the same command goes on from there"]
    kept = part.stat().st_size
    assert whole.startswith(part.read_bytes())
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "resumed" in done.stdout
    assert (tmp_path / "here" / "meta_Video_Games.jsonl.gz").read_bytes() == whole
    assert games.requests[-1][1]["Range"] == f"bytes={kept}-"
    assert not list((tmp_path / "here").glob("*.part*"))


def test_scientific_from_the_server_to_the_catalogue(cli, mirror, scientific):
    mirror.add("Scientific", scientific)
    outcome = cli("download", "amazon-2023", "Scientific", "--base-url", mirror.url, "--json")
    assert outcome.code == 0, outcome.err
    done = cli(*json.loads(outcome.out)["result"]["next"].split()[1:], "--json")
    assert done.code == 0, done.err
    facts = json.loads(done.out)["result"]["facts"]
    assert (facts["users"], facts["items"]) == (8442, 4385)
