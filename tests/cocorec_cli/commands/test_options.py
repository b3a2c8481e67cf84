"""What a command shows and takes is what the fields of its stage's options say."""

import dataclasses
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from cocorec_cli.config import CONFIG_KEY, read_config
from cocorec_cli.from_options import COMMON_PARAMETERS, OptionsCommand, given_values
from cocorec_cli.help_page import FEW, Row, rows_of
from cocorec_cli.main import COMMANDS, app
from cocorec_cli.runner import stage_context
from stages.compare import CompareOptions
from stages.download import DownloadOptions
from stages.embed import EmbedOptions
from stages.evaluate import EvaluateOptions
from stages.export import ExportOptions
from stages.frame.options import Declared, Options, declarations, defaults
from stages.preprocess import PreprocessOptions
from stages.quantize import QuantizeOptions
from stages.recommend import RecommendOptions, SimilarOptions
from stages.report import ReportOptions
from stages.serve import ServeOptions
from stages.train import TrainOptions
from stages.tune import TuneOptions

OPTIONS: dict[str, type[Options]] = {
    "download": DownloadOptions,
    "preprocess": PreprocessOptions,
    "embed": EmbedOptions,
    "quantize": QuantizeOptions,
    "train": TrainOptions,
    "evaluate": EvaluateOptions,
    "recommend": RecommendOptions,
    "export": ExportOptions,
    "serve": ServeOptions,
    "compare": CompareOptions,
    "report": ReportOptions,
    "tune": TuneOptions,
}

OF_THE_COMMAND_ALONE = {
    "download": {"force"},
    "preprocess": {"memory_limit"},
    "embed": {"memory_limit"},
    "quantize": set(),
    "train": {"preset", "memory_limit"},
    "evaluate": {"fail_under", "verbose"},
    "recommend": set(),
    "export": set(),
    "serve": set(),
    "compare": {"markdown"},
    "report": set(),
    "tune": {"search", "output", "device", "threads", "log", "log_to", "force"},
}
"""Options that say how a command behaves, not what its stage does."""

ARGUMENTS = {
    "download": ["amazon-2023", "Video_Games"],
    "preprocess": ["log.csv"],
    "compare": ["one", "two"],
}
"""What a command does not run without."""


@pytest.fixture(scope="module")
def group() -> TyperGroup:
    found = get_command(app)
    assert isinstance(found, TyperGroup)
    return found


@pytest.fixture
def rows(group, request) -> dict[str, Row]:
    """What the help of the command says of each option, by flag or metavar."""
    command = group.commands[request.getfixturevalue("name")]
    with command.make_context(command.name, [], parent=_root(group), resilient_parsing=True) as context:
        return {row.names[0].split()[0].rstrip(","): row for row in rows_of(command, context)}


def _default(declared: Declared) -> str:
    """How the help tells the default of an option."""
    value, option = declared.default, declared.option
    if declared.required:
        return "required"
    if option.unset is not None and value in (None, ()):
        return f"default: {option.unset}"
    if declared.kind is bool:
        name = declared.name.replace("_", "-")
        return "" if option.switch else f"default: {name if value else f'no-{name}'}"
    return f"default: {', '.join(map(str, value)) if declared.several else value}"


def _bounds(declared: Declared) -> str:
    if declared.several or declared.option.min is None:
        return ""
    low, high = f"{declared.option.min:g}", declared.option.max
    return f"x>={low}" if high is None else f"{low}<=x<={high:g}"


def test_these_commands_are_made_from_options(group):
    made = {entry.name: getattr(group.commands[entry.name], "options", None) for entry in COMMANDS}
    assert {name: options for name, options in made.items() if options} == {
        **OPTIONS,
        "init": PreprocessOptions,
        "similar": SimilarOptions,
    }


@pytest.mark.parametrize("name", OPTIONS)
def test_the_help_shows_the_fields(name, rows):
    for declared in declarations(OPTIONS[name]):
        option = declared.option
        row = rows[option.metavar if option.argument and option.metavar else declared.flag]
        assert row.panel == ("Arguments" if option.argument else option.panel), declared.name
        words = " ".join(row.help.replace("\n", " ").replace(";", "").split())
        assert " ".join(option.help.replace(";", "").split()) in words, declared.name
        assert _default(declared) in row.extra, (declared.name, row)
        assert _bounds(declared) in row.extra, (declared.name, row)
        assert option.argument or (option.metavar or "") in " ".join(row.names), declared.name
        for choice in declared.choices:
            assert choice in f"{row.help} {row.names}", declared.name
        if declared.kind is bool and not option.flags:
            assert (f"--no-{declared.name.replace('_', '-')}" in row.names) is not option.switch, declared.name


@pytest.mark.parametrize("name", OPTIONS)
def test_the_help_shows_nothing_else(name, rows, group):
    fields = declarations(OPTIONS[name])
    flags = {one.option.metavar if one.option.argument else one.flag for one in fields} | {"--help"}
    own = {parameter.name for parameter in group.commands[name].params} - {one.name for one in fields}
    assert own - set(COMMON_PARAMETERS) == OF_THE_COMMAND_ALONE[name] - set(COMMON_PARAMETERS)
    assert set(rows) == flags | {"--" + parameter.replace("_", "-") for parameter in own}


@pytest.mark.parametrize("name", OPTIONS)
def test_a_newcomer_sees_few_options(name, rows):
    """At most about eight of a stage, beside the general ones; all of them where there are few."""
    common = [row for row in rows.values() if row.common and row.panel not in ("General", "Options", "Presets")]
    assert len(rows) <= FEW or 2 <= len(common) <= 11, [row.names for row in common]


@pytest.mark.parametrize("name", OPTIONS)
def test_the_command_line_has_the_defaults_of_python(name, group):
    options, command = OPTIONS[name], group.commands[name]
    assert isinstance(command, OptionsCommand)
    with command.make_context(name, list(ARGUMENTS.get(name, ())), parent=_root(group)) as context:
        given = options(**given_values(options, context.params))
    required = {one.name for one in declarations(options) if one.required}
    found = {name: value for name, value in vars(given).items() if name not in required}
    assert found == defaults(options)


@pytest.mark.parametrize("name", [name for name in OPTIONS if name not in ("download", "compare")])
def test_an_empty_table_changes_nothing(name, group, tmp_path):
    (tmp_path / "c.toml").write_text(f"[{name}]\n")
    root = _root(group)
    root.meta[CONFIG_KEY] = read_config(tmp_path / "c.toml", group)[0]
    options = OPTIONS[name]
    with stage_context(root, name, ARGUMENTS.get(name, ())) as context:
        given = vars(options(**given_values(options, context.params)))
    assert {key: given[key] for key in defaults(options)} == defaults(options)


def _root(group):
    return group.make_context("cocorec", ["status"], resilient_parsing=True)


@pytest.mark.parametrize("name", OPTIONS)
def test_python_calls_the_stage_with_these_options(name):
    package = importlib.import_module(f"stages.{name}")
    assert OPTIONS[name].__name__ in package.__all__ and name in package.__all__
    first = next(iter(inspect.signature(getattr(package, name)).parameters.values()))
    kind = get_type_hints(getattr(package, name))["options"]
    assert first.name == "options"
    assert OPTIONS[name] in (kind, *get_args(kind))
    required = any(one.required for one in declarations(OPTIONS[name]))
    assert first.default is (inspect.Parameter.empty if required else None)


@pytest.mark.parametrize("name", OPTIONS)
def test_options_are_values(name):
    arguments = {
        one.name: ["x"] if one.several else "amazon-2023" for one in declarations(OPTIONS[name]) if one.required
    }
    one, other = OPTIONS[name](**arguments), OPTIONS[name](**arguments)
    assert one == other and hash(one) == hash(other)
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.seed = 1  # type: ignore[attr-defined]


HEAVY = {"torch", "numpy", "polars", "pyarrow", "faiss", "sentence_transformers", "transformers", "safetensors"}
HEAVY |= {"scipy", "sklearn", "optuna", "fastapi", "uvicorn", "prometheus_client"}

HELP = """
import sys
from cocorec_cli.main import main
for name in sys.argv[1:]:
    assert main([name, "--help"]) == 0, name
print(*sys.modules, file=sys.stderr)
"""


def test_no_help_imports_a_heavy_library():
    names = [entry.name for entry in COMMANDS]
    done = subprocess.run([sys.executable, "-c", HELP, *names], capture_output=True, text=True, timeout=120, check=True)
    assert len(re.findall("Usage: cocorec", done.stdout)) == len(names)
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert "typer" in loaded
    assert not loaded & HEAVY


def _choices(options: type[Options], name: str) -> tuple[str, ...]:
    return next(one.choices for one in declarations(options) if one.name == name)


def test_choices_are_the_names_in_the_registries():
    from stages.download.amazon import KINDS as BENCHMARKS
    from stages.model.registry import MODELS
    from stages.preprocess.items.readers import ITEM_READERS
    from stages.preprocess.logs.readers import LOG_READERS
    from stages.train.windows import WINDOWS

    assert _choices(DownloadOptions, "kind") == tuple(BENCHMARKS)
    assert _choices(PreprocessOptions, "format") == ("auto", *(reader.name for reader in LOG_READERS))
    assert _choices(PreprocessOptions, "items_format") == ("auto", *(reader.name for reader in ITEM_READERS))
    assert _choices(TrainOptions, "targets") == tuple(WINDOWS)
    assert _choices(TrainOptions, "model") == tuple(MODELS)


def test_choices_of_precision_are_understood():
    import torch

    from stages.embed.encoder import choose_precision
    from stages.model.device import autocast

    cpu = torch.device("cpu")
    for options in (TrainOptions, EvaluateOptions):
        for name in _choices(options, "precision"):
            autocast(cpu, name)
    for name in _choices(EmbedOptions, "precision"):
        assert isinstance(getattr(torch, choose_precision(name, cpu)), torch.dtype)


def test_folders_and_files_are_paths():
    for options in OPTIONS.values():
        for one in declarations(options):
            assert (one.option.files == "any") or one.kind is Path, one.name
