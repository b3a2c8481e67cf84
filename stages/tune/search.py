"""A search as it is described before its first trial: what varies, what stands, from which inputs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.fingerprints import Fingerprints
from stages.artifacts.lineage import read_lineage, require_consistent
from stages.artifacts.names import CODES, EMBEDDINGS, ITEMS, SEQUENCES
from stages.frame.options import declarations
from stages.model.registry import needed_files
from stages.tune.options import TuneOptions
from stages.tune.space import SearchedStage, Space

Tables = Mapping[str, Mapping[str, Any]]
"""Values by stage and option."""


def try_values(space: Space, stages: Mapping[str, SearchedStage], fixed: Tables) -> None:
    """Refuse values that a stage refuses, before the first trial; those that fit beside some other value may stay."""

    def attempt(stage: str, **varied: Any) -> None:
        stages[stage].options(**{**fixed.get(stage, {}), **varied})

    def fits(stage: str, **varied: Any) -> bool:
        try:
            attempt(stage, **varied)
        except UsageError:
            return False
        return True

    for (stage, option), dimension in space.dimensions.items():
        others = [
            {name: value}
            for (of, name), other in space.dimensions.items()
            if of == stage and name != option
            for value in other.ends
        ]
        for value in dimension.ends:
            if not any(fits(stage, **{option: value, **other}) for other in [{}, *others]):
                try:
                    attempt(stage, **{option: value})
                except UsageError as error:
                    named = f"search space: {stage}.{option} {value}: {error.message}"
                    raise UsageError(named, error.hint) from None


def describe(
    workdir: Path,
    space: Space,
    standing: Mapping[str, Mapping[str, Any]],
    stages: Mapping[str, SearchedStage],
    options: TuneOptions,
) -> dict[str, Any]:
    """All that decides what a search finds, as JSON values.

    Raises:
        DataError: when inputs are missing, do not belong together, or are not what the options say.
    """
    codes_vary = "quantize" in space.stages
    wanted = [SEQUENCES, EMBEDDINGS, ITEMS, *([] if codes_vary else [CODES])]
    needed = {SEQUENCES, *needed_files(standing["train"]["model"])}
    # What a trial would not read counts all the same where it is there: the model may vary.
    files = [name for name in wanted if name in needed or (workdir / name).exists()]
    fingerprints = Fingerprints(workdir)
    inputs = {name: fingerprints.of_contents(workdir / name) for name in files}
    require_consistent(workdir, files, fingerprints)
    varied = set(space.dimensions)
    used = {"train", "quantize"} if codes_vary else {"train"}
    recorded = {
        f"{stage}.{found.name}": standing[stage][found.name]
        for stage in sorted(used)
        for found in declarations(stages[stage].options)
        if found.option.recorded and (stage, found.name) not in varied
    }
    return {
        "space": space.to_json(),
        "options": recorded,
        "inputs": inputs,
        "sampler": {"seed": options.seed},
        "seeds": options.seeds,
        "pruner": {"startup_trials": options.startup_trials, "warmup_epochs": options.warmup_epochs},
    }


def check_codes(workdir: Path, options: Mapping[str, Any]) -> None:
    """Refuse codes that were made with other options than those that are set.

    Args:
        workdir: the work directory.
        options: of quantization; those that are not set are left out.

    Raises:
        DataError: naming the option.
    """
    path = Path(workdir) / CODES
    lineage = read_lineage(path) if path.exists() else None
    for name, value in options.items():
        if lineage and name in lineage.options and lineage.options[name] != value:
            raise DataError(
                f"{path} was made with {name} {lineage.options[name]}, the configuration says {value}",
                "Run `cocorec quantize` with that configuration first, or search the option.",
            )
