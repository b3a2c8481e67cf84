"""Every argument of a stage is an option of its command, with the same default; and the other way round."""

import importlib
import inspect
from collections.abc import Sequence
from typing import get_args, get_type_hints

import pytest
from typer.main import get_command

from cocorec_cli.main import app
from cocorec_cli.options import COMMON
from stages.artifacts.pipeline import STAGES

OF_THE_COMMAND_ALONE = {
    "preprocess": {"memory_limit"},
    "embed": {"memory_limit"},
    "train": {"preset"},
    "evaluate": {"fail_under"},
    "compare": {"markdown"},
}
"""Options that are no arguments of the stage; the command passes them to ``run_stage(leave_out=...)``."""


def _plain(default: object) -> object:
    """What is not set is ``None`` on the command line and may be an empty sequence in the stage."""
    if isinstance(default, Sequence) and not isinstance(default, str):
        return list(default) or None
    return None if default is inspect.Parameter.empty else default


def _choices(command: str, option: str) -> tuple[object, ...]:
    return get_args(get_type_hints(get_command(app).commands[command].callback)[option])


def test_the_choices_are_those_of_the_stages():
    from stages.embed.encoder import PRECISIONS
    from stages.evaluate.stage import SPLITS
    from stages.preprocess.histories.split import SPLITS as PARTITIONS
    from stages.preprocess.histories.temporal import TARGETS as PICKED
    from stages.preprocess.items.readers import ITEM_READERS
    from stages.preprocess.logs.readers import LOG_READERS
    from stages.quantize.codebooks import METHODS
    from stages.train.windows import TARGETS

    assert _choices("preprocess", "format") == ("auto", *(reader.name for reader in LOG_READERS))
    assert _choices("preprocess", "items_format") == ("auto", *(reader.name for reader in ITEM_READERS))
    assert _choices("preprocess", "split") == PARTITIONS
    assert get_args(_choices("preprocess", "targets")[0]) == PICKED
    assert _choices("embed", "precision") == PRECISIONS
    assert _choices("quantize", "method") == METHODS
    assert _choices("train", "targets") == tuple(TARGETS)
    assert _choices("evaluate", "split") == SPLITS


@pytest.mark.parametrize("name", [*STAGES, "compare"])
def test_options_match_the_stage(name):
    command = get_command(app).commands[name]
    stage = inspect.signature(getattr(importlib.import_module(f"stages.{name}"), name)).parameters
    options = inspect.signature(command.callback).parameters
    alone = OF_THE_COMMAND_ALONE.get(name, set())
    own = {option for option in options if option not in COMMON | alone | {"ctx"}}
    assert own == set(stage) - {"workdir", "force", "reporter"}
    assert {option: _plain(options[option].default) for option in own} == {
        option: _plain(stage[option].default) for option in own
    }
    if name in STAGES:
        assert stage["force"].default is options["force"].default is False
    required = {option for option in own if stage[option].default is inspect.Parameter.empty}
    assert required == {option for option in own if options[option].default is inspect.Parameter.empty}


def test_options_match_the_search():
    from stages.tune import tune

    search = inspect.signature(tune).parameters
    options = inspect.signature(get_command(app).commands["tune"].callback).parameters
    shared = set(search) - {"workdir", "stages", "space", "fixed", "reporter"}
    # Of the command alone: the space as text, where the best goes, and two options of train.
    assert shared == set(options) - COMMON - {"ctx", "search", "output", "device", "threads"}
    assert {name: options[name].default for name in shared} == {name: search[name].default for name in shared}
