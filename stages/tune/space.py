"""The search space: which options vary, and between which values."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from stages.artifacts.errors import UsageError
from stages.frame.options import Options, declarations
from stages.frame.result import Result

if TYPE_CHECKING:
    from optuna.trial import Trial

SEARCHED_STAGES = ("quantize", "train")
"""The stages whose options can be searched, in the order in which they run."""


@dataclass(frozen=True)
class SearchedStage:
    """A stage whose options may vary.

    Attributes:
        options: the class of its options.
        run: the stage itself, such as :func:`stages.train.train`.
    """

    options: type[Options]
    run: Callable[..., Result]


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both included; whole ones where both are.

    Attributes:
        log: the logarithm is drawn evenly.
        step: distance between the values; ``None`` for any number, or any whole number.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def suggest(self, trial: "Trial", name: str) -> Any:
        """Let the sampler choose."""
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(name, self.low, self.high, step=int(self.step or 1), log=self.log)
        return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log)

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            return False
        steps = (value - self.low) / self.step if self.step else 0.0
        return math.isclose(steps, round(steps), abs_tol=1e-9)

    @property
    def ends(self) -> tuple[Any, ...]:
        """The values that must be acceptable for all others to be."""
        return (self.low, self.high)


@dataclass(frozen=True)
class Choice:
    """One of several values, which have no order."""

    values: tuple[Any, ...]

    def suggest(self, trial: "Trial", name: str) -> Any:
        """Let the sampler choose."""
        return trial.suggest_categorical(name, self.values)

    def __contains__(self, value: object) -> bool:
        return value in self.values

    @property
    def ends(self) -> tuple[Any, ...]:
        """The values that must be acceptable."""
        return self.values


@dataclass(frozen=True)
class Space:
    """All that varies.

    Attributes:
        dimensions: by stage and option.
    """

    dimensions: Mapping[tuple[str, str], Range | Choice]

    @property
    def stages(self) -> set[str]:
        """The stages of which an option varies."""
        return {stage for stage, _ in self.dimensions}

    def suggest(self, trial: "Trial") -> dict[str, dict[str, Any]]:
        """The options of a trial, by stage."""
        options: dict[str, dict[str, Any]] = {stage: {} for stage in SEARCHED_STAGES}
        for (stage, option), dimension in self.dimensions.items():
            options[stage][option] = dimension.suggest(trial, f"{stage}.{option}")
        return options

    def to_json(self) -> dict[str, Any]:
        """As JSON values, by ``stage.option``."""
        return {f"{stage}.{option}": asdict(found) for (stage, option), found in self.dimensions.items()}


def read_space(tables: Mapping[str, Mapping[str, Any]], stages: Mapping[str, SearchedStage]) -> Space:
    """Read a search space.

    Args:
        tables: by stage and option, a list of values, or ``{"low": a, "high": b}`` with ``"log": True`` or a
            ``"step"`` where wanted.
        stages: the stages by name.

    Raises:
        UsageError: naming what is unknown or does not fit.
    """
    dimensions: dict[tuple[str, str], Range | Choice] = {}
    for stage, table in tables.items():
        if stage not in stages:
            raise UsageError(f"search space: stage {stage!r} is unknown", f"Choose {' or '.join(stages)}.")
        declared = {found.name: found.option for found in declarations(stages[stage].options)}
        known = [name for name, option in declared.items() if option.searched]
        for option, values in table.items():
            if option in declared and option not in known:
                raise UsageError(
                    f"search space: {stage}.{option} cannot be searched",
                    "It decides how a run goes, not what is learned. To average over seeds use --seeds.",
                )
            if option not in known:
                raise UsageError(f"search space: {stage} has no option {option!r}", f"There are {', '.join(known)}.")
            dimensions[stage, option] = _dimension(f"{stage}.{option}", values)
    if not dimensions:
        raise UsageError("the search space is empty", "Name an option with --search, such as --search dropout=0.1:0.5.")
    return Space(dimensions)


def _dimension(name: str, values: Any) -> Range | Choice:
    if not isinstance(values, Mapping):
        choices = tuple(values) if isinstance(values, list | tuple) else ()
        if not choices or not all(isinstance(value, str | int | float) for value in choices):
            raise UsageError(f"search space: {name} needs a list of values, or low and high, not {values!r}")
        if len(set(choices)) < len(choices):
            raise UsageError(f"search space: {name} names a value twice: {', '.join(map(str, choices))}")
        return Choice(choices)
    if not {"low", "high"} <= set(values) or not set(values) <= {"low", "high", "log", "step"}:
        raise UsageError(
            f"search space: {name} has {', '.join(values)}", "Give low and high, and log or step if wanted."
        )
    numbers = [values[key] for key in ("low", "high", "step") if values.get(key) is not None]
    if any(isinstance(number, bool) or not isinstance(number, int | float) for number in numbers):
        raise UsageError(f"search space: {name} has a bound that is not a number: {dict(values)}")
    found = Range(**values)
    whole = isinstance(found.low, int) and isinstance(found.high, int)
    if not found.low < found.high:
        raise UsageError(f"search space: {name}: low {found.low} is not below high {found.high}")
    if found.log and not found.low > 0:
        raise UsageError(f"search space: {name}: low {found.low} has no logarithm", "Start above 0, or leave log out.")
    if found.step is not None and (found.log or not found.step > 0 or (whole and not isinstance(found.step, int))):
        raise UsageError(
            f"search space: {name}: step {found.step} does not fit",
            "It must be above 0, whole between whole numbers, and cannot stand beside log.",
        )
    return found
