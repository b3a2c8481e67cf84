"""The search space of ``cocorec tune``: ``--search`` and ``[tune.space.*]``, held against the options of the commands.

--search dropout=0.1:0.5                    any number in between
--search learning_rate=1e-4:1e-2:log        drawn evenly on a logarithmic scale
--search layers=1:4 --search batch_size=128:1024:step=128
--search dim=64,128                         one of these
--search quantize.levels=2,4,8              the stage may be named; it must be where both have the option
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_type_hints

from typer.core import TyperCommand, TyperGroup

from cocorec_cli.config import check_table, current_name, nearest
from cocorec_cli.from_options import former_names
from stages.artifacts.errors import UsageError
from stages.frame.options import shown
from stages.tune.space import SEARCHED_STAGES

Space = dict[str, dict[str, Any]]


def parse_search(texts: Iterable[str], group: TyperGroup) -> Space:
    """Read the values of ``--search``.

    Args:
        texts: one for each option.
        group: the ``cocorec`` command.

    Returns:
        By stage and option, a list of values or ``{"low": ..., "high": ..., "log": ..., "step": ...}``.

    Raises:
        UsageError: listing every problem.
    """
    problems: list[str] = []
    tables: Space = {}
    for text in texts:
        name, equals, values = text.partition("=")
        name = name.strip().replace("-", "_")
        stage, _, option = name.rpartition(".")
        stages = [stage] if stage else [each for each in SEARCHED_STAGES if option in _names(group, each)]
        if not equals or not values.strip():
            problems.append(f"{text!r} is not OPTION=LOW:HIGH, OPTION=LOW:HIGH:log or OPTION=A,B,C")
        elif len(stages) != 1:
            known = [each for part in SEARCHED_STAGES for each in _options(group, part)]
            why = f"say {' or '.join(f'{each}.{option}' for each in stages)}" if stages else nearest(option, known)
            problems.append(f"{name}: {'of several stages' if stages else 'unknown option'}; {why}")
        elif option in tables.get(stages[0], {}):
            problems.append(f"{name}: given twice")
        else:
            try:
                tables.setdefault(stages[0], {})[option] = _values(values)
            except ValueError as error:
                problems.append(f"{name}: {error}")
    space = check_space(tables, group, problems, label=lambda stage: stage)
    if problems:
        raise UsageError(
            "--search: " + "; ".join(problems), "For example --search dropout=0.1:0.5 --search train.dim=64,128."
        )
    return space


def check_space(tables: Any, group: TyperGroup, problems: list[str], *, label: Any = None) -> Space:
    """Hold a search space against the options of the commands.

    Args:
        tables: by stage and option, as :func:`parse_search` returns it or TOML has it.
        group: the ``cocorec`` command.
        problems: what is wrong is appended.
        label: what to call the table of a stage; ``[tune.space.STAGE]`` by default.

    Returns:
        The space with values of the options' types.
    """
    label = label or (lambda stage: f"[tune.space.{stage}]")
    space: Space = {}
    if not isinstance(tables, Mapping):
        problems.append(f"[tune] space: expected tables, got {shown(tables)}")
        return space
    for stage, table in tables.items():
        if stage not in SEARCHED_STAGES or not isinstance(table, Mapping):
            problems.append(f"{label(stage)}: not a stage that can be searched; {nearest(stage, SEARCHED_STAGES)}")
            continue
        command = _command(group, stage)
        types = get_type_hints(command.callback)
        checked = space.setdefault(stage, {})
        for key, spec in table.items():
            name = current_name(command, key, label(stage))
            before = len(problems)
            values = _ends(spec)
            if values is None:
                problems.append(f"{label(stage)} {key}: expected a list of values or {{low = ..., high = ...}}")
                continue
            for value in values:
                check_table(command, {name: value}, Path(), problems, title=label(stage))
                if len(problems) > before:
                    break
            if len(problems) == before:
                checked[name] = _as_numbers(spec) if types[name] is float else spec
    return space


def _ends(spec: Any) -> list[Any] | None:
    if isinstance(spec, list):
        return spec
    if isinstance(spec, Mapping) and {"low", "high"} <= set(spec) <= {"low", "high", "log", "step"}:
        return [spec["low"], spec["high"]]
    return None


def _as_numbers(spec: Any) -> Any:
    if isinstance(spec, list):
        return [float(value) for value in spec]
    return {key: float(value) if isinstance(value, int) and key != "log" else value for key, value in spec.items()}


def _values(text: str) -> Any:
    """``LOW:HIGH[:log|:step=X]`` or ``A,B,C``."""
    if ":" not in text:
        return [_value(part) for part in text.split(",") if part.strip()]
    low, high, *rest = text.split(":")
    spec: dict[str, Any] = {"low": _value(low), "high": _value(high)}
    for part in rest:
        key, _, value = part.strip().partition("=")
        if part.strip() == "log":
            spec["log"] = True
        elif key == "step":
            spec["step"] = _value(value)
        else:
            raise ValueError(f"{part!r} is neither log nor step=X")
    return spec


def _value(text: str) -> Any:
    text = text.strip()
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            pass
    return {"true": True, "false": False}.get(text, text)


def _command(group: TyperGroup, stage: str) -> TyperCommand:
    command = group.commands[stage]
    assert isinstance(command, TyperCommand)
    return command


def _names(group: TyperGroup, stage: str) -> list[str]:
    """The options of a stage, and their names in earlier versions."""
    return [*_options(group, stage), *former_names(getattr(_command(group, stage), "options", None))]


def _options(group: TyperGroup, stage: str) -> list[str]:
    from cocorec_cli.options import COMMON

    return [str(param.name) for param in _command(group, stage).params if param.name not in COMMON | {"preset"}]
