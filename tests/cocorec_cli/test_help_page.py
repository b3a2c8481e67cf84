"""The help in 80 columns: no line is wider, no name is cut, what is common comes first."""

import inspect

import pytest
from typer.main import get_command

from cocorec_cli.help_page import paragraphs, print_page, rows_of
from cocorec_cli.main import COMMANDS, app

WIDTH = 80


@pytest.fixture(autouse=True)
def _width(monkeypatch):
    monkeypatch.setenv("COLUMNS", str(WIDTH))


def _rows(name):
    group = get_command(app)
    root = group.make_context("cocorec", ["status"], resilient_parsing=True)
    with group.commands[name].make_context(name, [], parent=root, resilient_parsing=True) as context:
        return rows_of(group.commands[name], context)


@pytest.mark.parametrize("name", [entry.name for entry in COMMANDS])
def test_no_line_is_wider_and_no_name_is_cut(cli, name):
    for args in (["--help"], ["--help-all"]):
        outcome = cli(name, *args)
        assert outcome.code == 0
        lines = outcome.out.splitlines()
        assert max(map(len, lines)) <= WIDTH
        words = outcome.out.split()
        for row in _rows(name):
            for spelt in (word.rstrip(",") for word in " ".join(row.names).split() if word.startswith("-")):
                shown = spelt in {word.rstrip(",") for word in words}
                assert shown or (not row.common and args == ["--help"]), spelt
    assert not any("…" in line for line in lines)


def test_presets_come_first_and_the_rest_on_request(cli):
    short, full = cli("train", "--help").out, cli("train", "--help-all").out
    assert short.index("--preset") < short.index("--model") < short.index("--epochs") < short.index("--workdir")
    assert "light: The default half as wide" in " ".join(short.split())
    assert "--mcm-weight" not in short and "--mcm-weight" in full
    assert "--no-learnable-mask\n" in full.replace("  ", "\n").replace(" \n", "\n") or "--no-learnable-mask " in full
    hidden = [row for row in _rows("train") if not row.common]
    assert f"{len(hidden)} more options (" in short and "cocorec train --help-all" in short
    assert "more options" not in full
    assert len(short.splitlines()) < 70


def test_sentences_are_not_torn_at_the_ends_of_the_sources_lines(cli):
    text = cli("train", "--help").out
    doc = inspect.cleandoc(get_command(app).commands["train"].help)
    torn = [line for line in doc.splitlines() if len(line) > WIDTH]
    assert torn  # a docstring may be wider than the terminal
    lines = [line.rstrip() for line in text.splitlines()]
    at = next(place for place, line in enumerate(lines) if line.startswith("Training stops") or "Reads" in line)
    block = lines[at : lines.index("", at)]
    assert all(len(line) > WIDTH - 16 for line in block[:-1]), block


def test_paragraphs_keep_what_is_indented():
    text = "One line\nand another.\n\n    cocorec train\n    cocorec evaluate\n\nEnd."
    assert list(paragraphs(text)) == ["One line and another.", "    cocorec train\n    cocorec evaluate", "End."]


def test_a_choice_is_explained_on_a_line_of_its_own(cli):
    lines = [line.strip() for line in cli("train", "--help").out.splitlines()]
    assert "text: texts" in lines


def test_an_argument_names_its_key_in_the_configuration_file(cli):
    assert "in a configuration file: inputs" in " ".join(cli("preprocess", "--help").out.split())
    assert cli("preprocess", "--help").out.startswith("Usage: cocorec preprocess [OPTIONS] LOG...\n")
    assert cli("similar", "--help").out.startswith("Usage: cocorec similar [OPTIONS] [ITEM_ID...]\n")
    assert "configuration file" not in cli("download", "--help").out


def test_hostile_words_are_text(capsys):
    print_page("[red]x", [("[b]a", "[i]what")])
    out = capsys.readouterr().out
    assert "[red]x" in out and "[b]a" in out and "[i]what" in out
