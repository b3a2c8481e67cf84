"""``cocorec tune``."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cocorec_cli.config import CONFIG_KEY, SEARCH, SPACE
from cocorec_cli.console import ConsoleReporter
from cocorec_cli.options import COMMON, DEFAULT_WORKDIR, GENERAL, MACHINE, Config, Json, Quiet, Workdir, option
from cocorec_cli.runner import run_call, stage_context
from stages.artifacts.errors import UsageError
from stages.frame.result import Result

SPACE_PANEL = "What is searched"
BUDGET = "Budget"
DEFAULT_OUTPUT = Path("best.toml")

FROM_THE_SURROUNDINGS = {"device", "threads", "resume"}
"""Options of ``train`` that say how this machine works; they go into no configuration file."""


def tune(
    ctx: typer.Context,
    search: Annotated[
        list[str] | None,
        option(
            "An option of train or quantize and its values: dropout=0.1:0.5, learning_rate=1e-4:1e-2:log, "
            "layers=1:4, batch_size=128:1024:step=128, dim=64,128 or quantize.levels=2,4,8; may be repeated. Replaces "
            "the tables tune.space.train and tune.space.quantize of the configuration file.",
            SPACE_PANEL,
            metavar="OPTION=VALUES",
            show_default="a space that suits the kind of model",
        ),
    ] = None,
    trials: Annotated[
        int | None,
        option(
            "Finished trials that the search shall have, those of earlier runs included.",
            BUDGET,
            min=1,
            metavar="N",
            show_default="30, or no limit with --minutes",
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        option(
            "Minutes that this run may take; the epoch at hand is finished, the trial goes on in the next run.",
            BUDGET,
            metavar="X",
            show_default="no limit",
        ),
    ] = None,
    seeds: Annotated[
        int, option("Training runs per trial, with consecutive seeds; their mean counts.", BUDGET, min=1, metavar="N")
    ] = 1,
    startup_trials: Annotated[
        int, option("Complete trials before any is ended early.", BUDGET, min=1, metavar="N")
    ] = 5,
    warmup_epochs: Annotated[
        int, option("Epochs that every trial is given before it may be ended early.", BUDGET, min=0, metavar="N")
    ] = 5,
    seed: Annotated[
        int, option("Of the sampler; that of training is an option of train.", BUDGET, min=0, metavar="N")
    ] = 0,
    resume: Annotated[
        bool | None,
        option(
            "Insist on continuing a search, or delete it and begin anew.",
            GENERAL,
            show_default="continue if there is one; refuse if it is another",
        ),
    ] = None,
    output: Annotated[
        Path,
        option(
            "Where the configuration with the best options goes: that of --config, with these put in.",
            GENERAL,
            "--output",
            "-o",
            metavar="FILE",
            dir_okay=False,
        ),
    ] = DEFAULT_OUTPUT,
    device: Annotated[
        str | None,
        option("As of train: auto, cpu, cuda or cuda:N.", MACHINE, metavar="NAME", show_default="that of train"),
    ] = None,
    threads: Annotated[
        int | None,
        option("CPU threads.", MACHINE, min=1, metavar="N", show_default="those of train"),
    ] = None,
    workdir: Workdir = DEFAULT_WORKDIR,
    config: Config = None,
    force: Annotated[bool, option("Write over the --output that is there.", GENERAL, "--force")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Search good options of train, and of quantize, by trial; write the best as a configuration file.

    Reads what train reads and works in the folder tune/ of the work directory. Trials are judged by their validation
    NDCG@10 and never see a test item; those that lag behind are ended early. Options that are not searched come from
    the tables train and quantize of the configuration file, or from the environment. Interrupted with Ctrl-C or
    killed, the same command goes on. Then: cocorec run --config best.toml.
    """
    from cocorec_cli.tuned import check_output, write_tuned

    group = ctx.find_root().command
    assert isinstance(group, TyperGroup)
    check_output(output, force=force)
    fixed = {name: _set_options(ctx, name) for name in ("quantize", "train")}
    surroundings = {"device": device, "threads": threads}
    fixed["train"] |= {name: value for name, value in surroundings.items() if value is not None}
    space = _space(ctx, group, search)

    def call(reporter: ConsoleReporter) -> Result:
        from stages.train import train
        from stages.tune import check_codes, tune

        stages: dict[str, Callable[..., Result]] = {"train": train}
        if space and "quantize" in space:
            from stages.quantize import quantize

            stages["quantize"] = quantize
        else:
            check_codes(workdir, fixed["quantize"])
        result = tune(
            workdir=workdir,
            stages=stages,
            space=space,
            fixed=fixed,
            trials=trials,
            minutes=minutes,
            seeds=seeds,
            startup_trials=startup_trials,
            warmup_epochs=warmup_epochs,
            seed=seed,
            resume=resume,
            reporter=reporter,
        )
        best = result.facts["best"]
        count = sum(result.facts["trials"].values())
        headline = f"trial {best['trial']} of 0 to {count - 1}, validation NDCG@10 {best['validation ndcg@10']:.4f}"
        chosen = {
            name: {key: value for key, value in options.items() if key not in FROM_THE_SURROUNDINGS}
            for name, options in fixed.items()
        }
        for name, value in result.facts["best_options"].items():
            stage, _, key = name.partition(".")
            chosen[stage][key] = value
        write_tuned(output, config, group, workdir, chosen, headline)
        return Result("tune", {**result.outputs, str(output): output}, result.facts)

    run_call(ctx, call)


def _space(ctx: typer.Context, group: TyperGroup, search: list[str] | None) -> dict[str, dict[str, Any]] | None:
    """The space of the command line, else of the configuration file, else ``None``."""
    if search:
        from cocorec_cli.search import parse_search

        return parse_search(search, group)
    space: dict[str, dict[str, Any]] | None = ctx.meta.get(CONFIG_KEY, {}).get(SEARCH, {}).get(SPACE)
    return space


def _set_options(ctx: typer.Context, name: str) -> dict[str, Any]:
    """The options of a stage that the configuration file, its preset or the environment sets."""
    context = stage_context(ctx, name)
    own: dict[str, Any] = {}
    for parameter, value in context.params.items():
        source = context.get_parameter_source(parameter)
        if source is None:
            raise UsageError(f"{name}: the source of {parameter} is not known")
        if parameter not in COMMON | {"resume", "preset"} and source.name != "DEFAULT" and value is not None:
            own[parameter] = value
    return own
