"""A terminal that takes note of every control character and of every line: nothing of data is obeyed, help fits."""

import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from terminal import lines_of, seen
from typer.main import get_command

from cocorec_cli.main import COMMANDS as ALL_COMMANDS
from cocorec_cli.main import app
from stages.artifacts import names
from stages.artifacts.atomic import atomic_path
from stages.artifacts.lineage import KEY, Lineage
from stages.preprocess import PreprocessOptions, preprocess
from stages.train import TrainOptions, train

HOSTILE = "\x1b]0;owned\x07\x1b[31m\x9b5A[red]x\u202e\x7f\r"
"""Sets a title and a colour, moves the cursor, is markup of rich, turns the direction, deletes, overwrites."""

OURS = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\?25[lh]|\x1b\[[0-9]*[AK]|\x1b\[1?[0-9]?[AK]|\r\n|\r|\n")
"""What rich sends for colours and progress bars, and the ends of lines as a terminal turns them."""


def foreign(output: str) -> list[str]:
    """Characters of an output that a terminal obeys and that are not ours."""
    return [one for one in OURS.sub("", output) if not one.isprintable()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log, texts and artifacts in which every text is hostile, and files of hostile names."""
    folder = tmp_path_factory.mktemp("hostile")
    rows = [f'"u{HOSTILE}","i{item}{HOSTILE}",{item},x' for item in (1, 2, 3)]
    (folder / f"log{HOSTILE}.csv").write_text("\n".join([f'user_id,item_id,timestamp,"{HOSTILE}"', *rows]))
    (folder / "log.csv").write_text("user_id,item_id,timestamp\nu,i1,1\nu,i2,2\n" + f'u,"i{HOSTILE}",x{HOSTILE}\n')
    (folder / "items.csv").write_text(f'item_id,"{HOSTILE}"\n"i1{HOSTILE}","t{HOSTILE}"\n')
    (folder / "c.toml").write_text('[train]\n"dim\\u001b[31m" = 3\nmodel = "\\u001b[31m"\n')
    artifacts = folder / "artifacts"
    facts = {"model" + HOSTILE: HOSTILE, "list": [HOSTILE], "tables": [{HOSTILE: HOSTILE}], "split": HOSTILE}
    ranks = pa.table({"user_id": [HOSTILE], "target": pa.array([1], pa.int32()), "rank": pa.array([1], pa.int32())})
    for workdir in (artifacts, folder / f"run{HOSTILE}"):
        lineage = Lineage("evaluate" + HOSTILE, {"split": HOSTILE}, {}, facts, HOSTILE)
        with atomic_path(workdir / names.RANKS) as temporary:
            pq.write_table(ranks.replace_schema_metadata({KEY: lineage.metadata_text()}), temporary)
    late = Lineage("preprocess", {}, {}, {}, HOSTILE, contract=99)
    columns = {"item": pa.array([1], pa.int32()), "item_id": [HOSTILE], HOSTILE: [HOSTILE]}
    with atomic_path(artifacts / names.ITEMS) as temporary:
        pq.write_table(pa.table(columns).replace_schema_metadata({KEY: late.metadata_text()}), temporary)
    return folder


@pytest.fixture(scope="module")
def trained(folder: Path) -> Path:
    """A work directory with a model, whose users, items and titles are hostile."""
    rows = [f'"u{user}{HOSTILE}","i{(user + step) % 12}{HOSTILE}",{step}' for user in range(12) for step in range(5)]
    (folder / "shop.csv").write_text("\n".join(["user_id,item_id,timestamp", *rows]))
    titles = [f'"i{item}{HOSTILE}","title {item}{HOSTILE}"' for item in range(12)]
    (folder / "titles.csv").write_text("\n".join(["item_id,title", *titles]))
    workdir = folder / "trained"
    preprocess(PreprocessOptions((folder / "shop.csv",), items=(folder / "titles.csv",), k_core=0), workdir=workdir)
    small = {"dim": 8, "ffn_dim": 8, "layers": 1, "epochs": 1, "device": "cpu"}
    train(TrainOptions(model="sasrec", **small), workdir=workdir)
    return workdir


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server that answers with control sequences."""

    class Hostile(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.wfile.write(b"HTTP/1.1 503 \x1b[31mgone\x07\r\nRetry-After: \x1b[31m\r\nContent-Length: 0\r\n\r\n")

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hostile) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()


COMMANDS: dict[str, tuple[list[str], set[int]]] = {
    "a log of a hostile name": (["preprocess", f"log{HOSTILE}.csv", "--workdir", "made", "--k-core", "0"], {0, 3}),
    "rows that cannot be read": (["preprocess", "log.csv", "--workdir", "made2", "--k-core", "0"], {3}),
    "texts": (["preprocess", f"log{HOSTILE}.csv", "--items", "items.csv", "-w", "made3", "--k-core", "0"], {0, 3}),
    "as JSON": (["preprocess", f"log{HOSTILE}.csv", "--workdir", "made", "--k-core", "0", "--json"], {0, 3}),
    "a file that is not there": (["preprocess", f"none{HOSTILE}"], {3}),
    "an option": (["train", "--model", HOSTILE], {2}),
    "an option that is none": (["train", f"--{HOSTILE}"], {2}),
    "a licence": (["export", "--license", HOSTILE], {2}),
    "a command that is none": ([HOSTILE], {2}),
    "a configuration": (["train", "--config", "c.toml"], {2}),
    "status": (["status"], {0, 3}),
    "status of a hostile folder": (["status", "--verify", "--workdir", f"run{HOSTILE}"], {0, 3}),
    "status as JSON": (["status", "--json"], {0, 3}),
    "columns": (["embed"], {3}),
    "a comparison": (["compare", f"run{HOSTILE}", "artifacts", "--resamples", "10"], {0}),
    "a comparison in Markdown": (["compare", f"run{HOSTILE}", "artifacts", "--markdown", "--resamples", "10"], {0}),
    "a comparison as JSON": (["compare", f"run{HOSTILE}", "artifacts", "--json", "--resamples", "10"], {0}),
    "a server": (["serve", "--port", "0"], {3}),
    "an address": (["serve", "--host", HOSTILE], {2}),
    "recommendations": (["recommend", "-w", "trained", "--with", "title", "--device", "cpu"], {0}),
    "recommendations on stdout": (
        ["recommend", "-w", "trained", "--with", "title", "--output", "-", "--device", "cpu"],
        {0},
    ),
    "a user who is not there": (["recommend", "-w", "trained", "--users", f"none{HOSTILE}", "--device", "cpu"], {0, 3}),
    "a condition": (["recommend", "-w", "trained", "--where", HOSTILE, "--device", "cpu"], {2, 3}),
    "similar items": (["similar", "-w", "trained", f"i1{HOSTILE}", "--with", "title", "--device", "cpu"], {0}),
    "similar items as JSON": (["similar", "-w", "trained", f"i1{HOSTILE}", "--json", "--device", "cpu"], {0}),
    "an item that is not there": (["similar", "-w", "trained", f"none{HOSTILE}", "--device", "cpu"], {2}),
    "runs that cannot be compared": (["compare", f"{HOSTILE}=artifacts", "items.csv"], {3}),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_no_character_of_data_is_obeyed(folder, trained, name):
    args, codes = COMMANDS[name]
    code, output = seen(*args, cwd=folder)
    assert foreign(output) == [], output
    assert code in codes, output
    assert "Traceback" not in output
    assert output


def test_what_a_server_answers(folder, server):
    code, output = seen("preprocess", f"{server}/log.csv", "--workdir", "remote", cwd=folder)
    assert foreign(output) == [], output
    assert code == 3


def test_the_terminal_notices(tmp_path):
    assert foreign(f"a{HOSTILE}b") == ["\x1b", "\x07", "\x9b", "\u202e", "\x7f"]
    assert foreign("\x1b[1;31merror: \x1b[0m\r\x1b[2K\x1b[1A\x1b[?25l\x1b[?25h done\r\n") == []


@pytest.mark.parametrize("name", [entry.name for entry in ALL_COMMANDS])
def test_help_fits_into_80_columns(name, tmp_path):
    code, output = seen(name, "--help-all", cwd=tmp_path, columns=80)
    lines = lines_of(output)
    assert (code, lines[0].startswith(f"Usage: cocorec {name}")) == (0, True)
    assert max(map(len, lines)) <= 80
    command = get_command(app).commands[name]
    words = {word.rstrip(",") for line in lines for word in line.split()}
    for parameter in command.params:
        assert not parameter.opts[0].startswith("-") or {*parameter.opts, *parameter.secondary_opts} <= words
    assert not any(word.endswith(("…", "...")) and word.startswith("-") for word in words)


def test_help_is_as_wide_as_the_terminal_where_that_is_narrow(tmp_path):
    _, output = seen("train", "--help", cwd=tmp_path, columns=60)
    assert max(map(len, lines_of(output))) <= 60
