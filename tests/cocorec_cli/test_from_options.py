"""Former names of options, switches and lists, as they are typed, in the environment and in the configuration file."""

from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from cocorec_cli.from_options import former_names, given_values
from cocorec_cli.main import app
from cocorec_cli.search import parse_search
from stages.compare import CompareOptions
from stages.evaluate import EvaluateOptions
from stages.preprocess import PreprocessOptions
from stages.quantize import QuantizeOptions
from stages.train import TrainOptions


@pytest.fixture
def parsed():
    """The options that a command would run its stage with."""

    def parse(name, options, *args):
        group = get_command(app)
        assert isinstance(group, TyperGroup)
        parent = group.make_context("cocorec", ["status"], resilient_parsing=True)
        with group.commands[name].make_context(name, [str(arg) for arg in args], parent=parent) as context:
            return options(**given_values(options, context.params))

    return parse


def test_these_options_had_another_name():
    assert former_names(QuantizeOptions) == {"dimension": "text_dim"}
    assert former_names(EvaluateOptions) == {"bootstrap": "resamples"}
    assert former_names(CompareOptions) == {"samples": "resamples"}
    assert former_names(TrainOptions) == {"id_dropout": "new_item_rate"}
    assert former_names(None) == {}


@pytest.mark.parametrize("args", [["--dimension=8"], ["--dimension", "8"], ["--levels", "2", "--dimension=8", "-q"]])
def test_a_former_name_is_accepted_and_told(cli, quantize_calls, args):
    outcome = cli("quantize", *args)
    assert outcome.code == 0
    assert quantize_calls.calls[0]["text_dim"] == 8
    assert outcome.err == "warning: --dimension is now --text-dim\n"


def test_the_present_name_needs_no_warning(cli, quantize_calls):
    assert cli("quantize", "--text-dim=8").err == ""
    assert quantize_calls.calls[0]["text_dim"] == 8


@pytest.mark.parametrize(
    ("command", "options", "flag"),
    [("evaluate", EvaluateOptions, "--bootstrap"), ("compare", CompareOptions, "--samples")],
)
def test_the_other_former_names(command, options, flag, parsed, capsys):
    arguments = ["one", "two"] if command == "compare" else []
    assert parsed(command, options, *arguments, flag, 7).resamples == 7
    assert capsys.readouterr().err == f"warning: {flag} is now --resamples\n"


def test_errors_tell_the_present_name(cli, quantize_calls):
    outcome = cli("quantize", "--dimension", "many")
    assert outcome.code == 2
    assert "warning: --dimension is now --text-dim" in outcome.err
    assert "'--text-dim'" in outcome.err
    assert not quantize_calls.calls


def test_after_two_hyphens_nothing_is_an_option(parsed, capsys):
    found = parsed("compare", CompareOptions, "one", "--", "--samples")
    assert found.runs == ("one", "--samples")
    assert capsys.readouterr().err == ""


def test_a_former_name_in_the_environment(cli, quantize_calls, monkeypatch):
    monkeypatch.setenv("COCOREC_QUANTIZE_DIMENSION", "8")
    outcome = cli("quantize")
    assert outcome.code == 0
    assert quantize_calls.calls[0]["text_dim"] == 8
    assert outcome.err == ("warning: COCOREC_QUANTIZE_DIMENSION in the environment is now COCOREC_QUANTIZE_TEXT_DIM\n")
    monkeypatch.setenv("COCOREC_QUANTIZE_TEXT_DIM", "16")
    assert cli("quantize").code == 0
    assert quantize_calls.calls[1]["text_dim"] == 16


def test_compare_tells_former_and_unknown_variables(cli, monkeypatch):
    monkeypatch.setenv("COCOREC_COMPARE_SAMPLES", "7")
    monkeypatch.setenv("COCOREC_COMPARE_SAMPELS", "7")
    lines = cli("compare", "one", "two").err.splitlines()
    assert "warning: COCOREC_COMPARE_SAMPLES in the environment is now COCOREC_COMPARE_RESAMPLES" in lines
    assert "warning: COCOREC_COMPARE_SAMPELS in the environment is no option of `cocorec compare`" in lines


def test_a_former_name_in_the_configuration_file(cli, quantize_calls):
    Path("c.toml").write_text("[quantize]\ndimension = 8\n")
    outcome = cli("quantize", "--config", "c.toml")
    assert outcome.code == 0
    assert quantize_calls.calls[0]["text_dim"] == 8
    assert outcome.err == "warning: [quantize] dimension is now text_dim\n"
    Path("c.toml").write_text("[quantize]\ndimension = 8\ntext_dim = 16\n")
    outcome = cli("quantize", "--config", "c.toml")
    assert (outcome.code, "[quantize] text_dim: given twice" in outcome.err) == (2, True)


@pytest.mark.parametrize("text", ["dimension=8,16", "quantize.dimension=8,16"])
def test_a_former_name_in_a_search(text, capsys):
    assert parse_search([text], get_command(app)) == {"quantize": {"text_dim": [8, 16]}}
    assert capsys.readouterr().err == "warning: quantize dimension is now text_dim\n"


def test_a_former_name_in_a_search_space_of_the_configuration_file(cli, quantize_calls):
    Path("c.toml").write_text("[tune.space.quantize]\ndimension = {low = 8, high = 16}\n")
    outcome = cli("quantize", "--config", "c.toml")
    assert outcome.code == 0
    assert outcome.err == "warning: [tune.space.quantize] dimension is now text_dim\n"


@pytest.mark.parametrize(
    ("args", "kept"),
    [
        ([], (True, True, None)),
        (["--no-learnable-mask", "--no-with-ids"], (False, False, None)),
        (["--resume"], (True, True, True)),
        (["--no-resume"], (True, True, False)),
    ],
)
def test_switches_have_two_forms(parsed, args, kept):
    options = parsed("train", TrainOptions, *args)
    assert (options.learnable_mask, options.with_ids, options.resume) == kept


def test_a_switch_may_have_one_form(cli, parsed):
    assert parsed("preprocess", PreprocessOptions, "log.csv", "--keep-cold-items").keep_cold_items is True
    outcome = cli("preprocess", "log.csv", "--no-keep-cold-items")
    assert (outcome.code, "--no-keep-cold-items" in outcome.err) == (2, True)


@pytest.mark.parametrize("args", [["--cutoffs", "20,5"], ["--cutoffs", "5", "--cutoffs", "20"], ["--cutoffs=5, 20,"]])
def test_lists_of_numbers(parsed, args):
    assert parsed("evaluate", EvaluateOptions, *args).cutoffs == (5, 20)


def test_a_list_of_numbers_holds_numbers(cli):
    outcome = cli("evaluate", "--cutoffs", "5,ten")
    assert (outcome.code, "'5,ten' is not a whole number" in outcome.err) == (2, True)
    outcome = cli("evaluate", "--cutoffs", "5,0")
    assert (outcome.code, "--cutoffs must be at least 1, is 0" in outcome.err) == (2, True)


@pytest.mark.parametrize("args", [["--views", "title, brand"], ["--views", "title", "--views=brand"]])
def test_lists_of_words(parsed, args):
    assert parsed("preprocess", PreprocessOptions, "log.csv", *args).views == ("title", "brand")


def test_a_list_whose_values_may_hold_commas_is_repeated(parsed):
    found = parsed(
        "preprocess", PreprocessOptions, "a.csv", "b,c.csv", "--view-template", "t={x}, {y}", "--items", "m,n"
    )
    assert found.view_template == ("t={x}, {y}",)
    assert (found.inputs, found.items) == ((Path("a.csv"), Path("b,c.csv")), (Path("m,n"),))


def test_lists_and_switches_in_the_environment(parsed, monkeypatch):
    monkeypatch.setenv("COCOREC_EVALUATE_CUTOFFS", "1,2")
    monkeypatch.setenv("COCOREC_EVALUATE_EXCLUDE_SEEN", "true")
    found = parsed("evaluate", EvaluateOptions)
    assert (found.cutoffs, found.exclude_seen) == ((1, 2), True)


def test_what_the_command_line_cannot_check_is_refused_by_the_options(cli, train_calls):
    for args, said in (
        (["--dropout", "1"], "--dropout must be at least 0 and below 1, is 1"),
        (["--temperature", "nan"], "--temperature nan is not a finite number"),
        (["--dim", "15"], "--heads 2 does not divide --dim 15"),
    ):
        outcome = cli("train", *args)
        assert (outcome.code, said in outcome.err) == (2, True), outcome.err
    assert not train_calls.calls
