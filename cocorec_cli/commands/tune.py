"""``cocorec tune``."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from cocorec_cli.config import CONFIG_KEY, SEARCH, SPACE
from cocorec_cli.console import ConsoleReporter
from cocorec_cli.from_options import given_values, with_options
from cocorec_cli.options import GENERAL, option
from cocorec_cli.runner import run_call, stage_context
from stages.artifacts.errors import UsageError
from stages.frame.machine import MACHINE
from stages.frame.options import declarations
from stages.frame.result import Result
from stages.quantize.options import QuantizeOptions
from stages.train.options import LOGGING, TrainOptions
from stages.tune.options import TuneOptions

SPACE_PANEL = "What is searched"
DEFAULT_OUTPUT = Path("best.toml")

STAGE_OPTIONS = {"quantize": QuantizeOptions, "train": TrainOptions}

FROM_THE_SURROUNDINGS = {"device", "threads", "processes", "process_timeout", "resume", "log", "log_to", "log_name"}
"""Options of ``train`` that say how this machine works; they go into no configuration file."""


@with_options(TuneOptions, common=("workdir", "config", "json", "quiet"), before=("search",), after=("force",))
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
            show_default="a space that suits the model",
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
        option("As of train: auto, cpu, cuda, cuda:N or mps.", MACHINE, metavar="NAME", show_default="that of train"),
    ] = None,
    threads: Annotated[
        int | None,
        option("CPU threads.", MACHINE, min=1, max=1024, metavar="N", show_default="those of train"),
    ] = None,
    log: Annotated[
        Literal["tensorboard", "mlflow"] | None,
        option("Show the curves of each trial, as of train.", LOGGING, show_default="as of train"),
    ] = None,
    log_to: Annotated[
        str | None,
        option(
            "Folder of TensorBoard, or tracking address of MLflow.",
            LOGGING,
            metavar="PLACE",
            show_default="as of train",
        ),
    ] = None,
    force: Annotated[bool, option("Write over the --output that is there.", GENERAL, "--force")] = False,
) -> None:
    """Search good options of train, and of quantize, by trial; write the best as a configuration file.

    Reads what train reads and works in the folder tune/ of the work directory. Trials are judged by their validation
    NDCG@10 and never see a test item; those that lag behind are ended early. Options that are not searched come from
    the tables train and quantize of the configuration file, or from the environment. Interrupted with Ctrl-C or
    killed, the same command goes on; once it has written its file, more trials need --force. Then: cocorec run --config
    best.toml.
    """
    from cocorec_cli.tuned import check_output, there_already, write_tuned

    group = ctx.find_root().command
    assert isinstance(group, TyperGroup)
    options, workdir, config = TuneOptions(**given_values(TuneOptions, ctx.params)), *_places(ctx)
    stands = check_output(output, force=force)
    if stands and options.resume is False:
        raise there_already(output)
    fixed = {name: _set_options(ctx, name) for name in ("quantize", "train")}
    surroundings = {"device": device, "threads": threads, "log": log, "log_to": log_to}
    fixed["train"] |= {name: value for name, value in surroundings.items() if value is not None}
    space = _space(ctx, group, search)

    def call(reporter: ConsoleReporter) -> Result:
        from stages.quantize import quantize
        from stages.train import train
        from stages.tune import SearchedStage, check_codes, tune

        stages = {"train": SearchedStage(TrainOptions, train)}
        if space and "quantize" in space:
            stages["quantize"] = SearchedStage(QuantizeOptions, quantize)
        else:
            check_codes(workdir, fixed["quantize"])

        def refuse() -> None:
            if stands:  # of an earlier search, or of fewer trials
                raise there_already(output, found_before=True)

        result = tune(
            options,
            workdir=workdir,
            stages=stages,
            space=space,
            fixed=fixed,
            reporter=reporter,
            before_trials=refuse,
        )
        best = result.facts["best"]
        count = sum(result.facts["trials"].values())
        headline = f"trial {best['trial']} of 0 to {count - 1}, validation NDCG@10 {best['validation_ndcg@10']:.4f}"
        chosen = {
            name: {key: value for key, value in options.items() if key not in FROM_THE_SURROUNDINGS}
            for name, options in fixed.items()
        }
        for name, value in result.facts["best_options"].items():
            stage, _, key = name.partition(".")
            chosen[stage][key] = value
        write_tuned(output, config, group, workdir, chosen, headline, stands=stands)
        return Result("tune", {**result.outputs, str(output): output}, result.facts)

    run_call(ctx, call)


def _places(ctx: typer.Context) -> tuple[Path, Path | None]:
    return ctx.params["workdir"], ctx.params["config"]


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
    known = {found.name for found in declarations(STAGE_OPTIONS[name])} - {"resume"}
    own: dict[str, Any] = {}
    for parameter, value in context.params.items():
        source = context.get_parameter_source(parameter)
        if source is None:
            raise UsageError(f"{name}: the source of {parameter} is not known")
        if parameter in known and source.name != "DEFAULT" and value is not None:
            own[parameter] = value
    return own
