"""``--json``: one envelope for every command, errors included, held against the schema in the repository."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.main import get_command
from whole_histories import write_histories

import cocorec_cli
from cocorec_cli.envelope import collecting, envelope
from cocorec_cli.main import COMMANDS, app
from stages import __version__
from stages.artifacts.errors import DataError

SCHEMA = json.loads(Path(cocorec_cli.__file__).with_name("output.schema.json").read_text(encoding="utf-8"))
NAME = re.compile(SCHEMA["$defs"]["name"]["pattern"])


def checked(text: str) -> dict[str, Any]:
    """The envelope, once it is seen to be one."""
    value: dict[str, Any] = json.loads(text)
    jsonschema.Draft202012Validator(SCHEMA).validate(value)
    assert value["cocorec"] == __version__
    return value


def keys(value: Any) -> Iterator[str]:
    """All keys, however deep."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield key
            yield from keys(part)
    elif isinstance(value, list):
        for part in value:
            yield from keys(part)


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_every_command_that_does_something_knows_it():
    group = get_command(app)
    without = {entry.name for entry in COMMANDS if "json" not in {p.name for p in group.commands[entry.name].params}}
    assert without <= {"help", "serve"}


@pytest.mark.parametrize("command", [entry.name for entry in COMMANDS])
def test_every_command_has_an_entry_of_its_own(command):
    entries = [rule for rule in SCHEMA["allOf"] if rule["if"]["properties"].get("command") == {"const": command}]
    assert [rule["if"]["required"] for rule in entries] == [["command"]]
    assert f'"#/$defs/{command}"' in json.dumps(entries[0]["then"])
    kind = SCHEMA["$defs"][command]
    assert kind.get("type") == "null" or {"properties", "required"} & {*kind}
    foreign = {**dict.fromkeys(SCHEMA["required"]), "cocorec": "1", "command": command, "exit_code": 0, "warnings": []}
    with pytest.raises(jsonschema.ValidationError):  # what no command gives
        jsonschema.Draft202012Validator(SCHEMA).validate({**foreign, "result": {"anything": 1}})


@pytest.fixture
def log(tmp_path: Path) -> list[str]:
    rows = [f"u{user},i{(user + step) % 5},{step + 1}" for user in range(8) for step in range(5)]
    Path("log.csv").write_text("user,item,time\n" + "\n".join([*rows, rows[0], ",i1,3"]))
    Path("items.csv").write_text("item,title\n" + "\n".join(f"i{item},kettle {item}" for item in range(5)))
    columns = ["--user-column", "user", "--item-column", "item", "--time-column", "time"]
    return ["preprocess", "log.csv", "--items", "items.csv", "--k-core", "0", "--workdir", "made", *columns]


def test_all_commands_that_need_no_encoder(cli, log, structured, small):
    machine = ["--threads", "1"]
    options = [part for name, value in small.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    place = ["--workdir", str(structured)]
    write_histories(structured)
    Path("tune.toml").write_text('[train]\nmodel = "sasrec"\ndim = 8\nffn_dim = 8\nepochs = 1\ndevice = "cpu"\n')
    search = ["--config", "tune.toml", "--search", "dropout=0.1:0.5", "--trials", "1"]
    commands = [
        ["init", *log[1:-8], "--output", "found.toml", *log[-6:]],
        log,
        ["quantize", *place, "--codebook-size", "4", "--levels", "2", "--text-dim", "8", *machine],
        ["train", *place, *options, "--epochs", "1", *machine],
        ["evaluate", *place, "--resamples", "10", *machine],
        ["recommend", *place, *machine],
        ["similar", "item-001", *place, *machine],
        ["export", *place, "--formats", "vectors,card", *machine],
        ["report", *place, "--resamples", "9"],
        ["tune", *place, *search, *machine],
        ["compare", f"a={structured}", f"b={structured}", "--resamples", "9"],
        ["status", *place],
    ]
    found = {}
    for command in commands:
        outcome = cli(*command, "--json")
        assert outcome.code == 0, outcome.err
        value = checked(outcome.out)
        assert (value["command"], value["exit_code"], value["error"]) == (command[0], 0, None)
        for by_number_or_file in ("cores", "outputs"):
            value["result"].pop(by_number_or_file, None)
        value["result"].get("facts", {}).pop("files", None)
        assert all(NAME.fullmatch(key) for key in keys(value)), [key for key in keys(value) if not NAME.fullmatch(key)]
        found[command[0]] = value
    assert found["preprocess"]["result"]["next"] == "cocorec embed --workdir made"
    assert {row["reason"] for row in found["preprocess"]["result"]["facts"]["dropped"]} == {
        "rows without a user or an item",
        "repeated rows (user, item and time)",
    }
    assert any("rows without a user or an item were dropped" in said for said in found["preprocess"]["warnings"])


@pytest.mark.parametrize(
    ("args", "code", "kind", "said"),
    [
        (["quantize"], 3, "data", "embeddings.parquet"),
        (["quantize", "--levls", "3"], 2, "usage", "--levls"),
        (["quantize", "--levels", "five"], 2, "usage", "--levels"),
        (["run"], 2, "usage", "there is no cocorec.toml"),
        (["compare", "one"], 2, "usage", "one does not exist"),
        (["download", "netflix", "all"], 2, "usage", "amazon-2023"),
        (["tarin"], 2, "usage", "tarin"),
        (["similar", "a", "--workdir", "gone"], 3, "data", "gone"),
    ],
)
def test_errors(cli, args, code, kind, said):
    outcome = cli(*args, "--json")
    value = checked(outcome.out)
    assert (outcome.code, value["exit_code"], value["result"]) == (code, code, None)
    assert value["error"]["kind"] == kind
    assert said in value["error"]["message"]
    assert value["error"]["message"] in outcome.err  # a person reads it there
    if value["error"]["hint"]:
        assert f"hint: {value['error']['hint']}" in outcome.err
    assert cli(*args).out == ""


@pytest.mark.parametrize(
    ("error", "code", "kind"),
    [
        (DataError("damaged"), 3, "data"),
        (MemoryError(), 1, "memory"),
        (RuntimeError("can't start new thread"), 1, "threads"),
        (ZeroDivisionError("division by zero"), 1, "bug"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_what_goes_wrong_in_a_stage(cli, quantize_calls, error, code, kind):
    def fail(reporter):
        reporter.warn("few items")
        raise error

    quantize_calls.action = fail
    value = checked(cli("quantize", "--json").out)
    assert (value["exit_code"], value["error"]["kind"], value["result"]) == (code, kind, None)
    assert value["warnings"] == ["few items"]


def test_a_result_and_an_error(cli, structured, small):
    options = [part for name, value in small.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    place = ["--workdir", str(structured), "--threads", "1"]
    assert cli("train", *options, *place, "--model", "transitions").code == 0
    value = checked(cli("evaluate", *place, "--fail-under", "ndcg@10=1.01", "--json").out)
    assert (value["exit_code"], value["error"]["kind"]) == (4, "quality")
    assert value["result"]["stage"] == "evaluate"


def test_the_environment_may_ask_for_it(cli, quantize_calls, monkeypatch):
    monkeypatch.setenv("COCOREC_QUANTIZE_JSON", "1")
    assert json.loads(cli("quantize").out)["result"]["stage"] == "quantize"


def test_help_and_the_version_are_no_results(cli):
    assert cli("quantize", "--help", "--json").out.startswith("Usage: ")


def test_words_after_two_hyphens_ask_for_nothing():
    with collecting(["compare", "a", "--", "--json"]) as begun:
        assert (begun.command, begun.wanted) == ("compare", False)
        assert envelope() is begun
    assert envelope() is not begun


def test_a_full_disk_is_told(tmp_path):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "cocorec_cli", "status", "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
    assert (done.returncode, "No space left" in done.stderr) == (3, True), done.stderr
    assert "Traceback" not in done.stderr
