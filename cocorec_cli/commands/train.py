"""``cocorec train``."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cocorec_cli.config import load_preset
from cocorec_cli.options import (
    DEFAULT_WORKDIR,
    GENERAL,
    MACHINE,
    Config,
    Device,
    Force,
    Json,
    Quiet,
    Threads,
    Workdir,
    option,
)
from cocorec_cli.runner import run_stage
from stages.model.registry import BACKBONES, MODELS, choices_help

if TYPE_CHECKING:
    ModelName = str
    BackboneName = str
else:  # the choices of the registry, which are known only when this runs
    ModelName = Literal[tuple(MODELS)]
    BackboneName = Literal[tuple(BACKBONES)]

MODEL = "Model"
LOSSES = "Losses"
OPTIMIZATION = "Optimization"


def train(
    ctx: typer.Context,
    model: Annotated[ModelName, option(choices_help(MODELS), MODEL)] = "cocorec",
    backbone: Annotated[
        BackboneName, option(f"What reads the history. {choices_help(BACKBONES)}", MODEL)
    ] = "transformer",
    dim: Annotated[int, option("Width of the model, in dimensions.", MODEL, min=1, metavar="D")] = 64,
    layers: Annotated[int, option("Layers of the backbone, which reads the history.", MODEL, min=1, metavar="N")] = 2,
    heads: Annotated[int, option("Attention heads of the backbone.", MODEL, min=1, metavar="N")] = 2,
    ffn_dim: Annotated[
        int, option("Hidden dimensions of the backbone's feed-forward part.", MODEL, min=1, metavar="D")
    ] = 256,
    fusion_layers: Annotated[int, option("Layers of the code-guided fusion.", MODEL, min=1, metavar="N")] = 1,
    fusion_heads: Annotated[int, option("Attention heads of the fusion.", MODEL, min=1, metavar="N")] = 2,
    fusion_ffn_dim: Annotated[
        int, option("Hidden dimensions of the fusion's feed-forward part.", MODEL, min=1, metavar="D")
    ] = 256,
    experts: Annotated[int, option("Experts of the mixture in unisrec.", MODEL, min=1, metavar="N")] = 8,
    text_dim: Annotated[
        int, option("Dimensions to which each view's vectors are whitened.", MODEL, min=1, metavar="D")
    ] = 128,
    max_history: Annotated[
        int, option("Longest history read, in items; older ones are left out.", MODEL, min=1, metavar="N")
    ] = 20,
    dropout: Annotated[float, option("Dropout probability of the backbone.", MODEL, min=0, metavar="P")] = 0.3,
    fusion_dropout: Annotated[
        float, option("Dropout probability of the item encoder.", MODEL, min=0, metavar="P")
    ] = 0.1,
    learnable_mask: Annotated[bool, option("Train [MASK] as an input; the authors' code does not.", MODEL)] = True,
    repeat_bias: Annotated[
        bool, option("Learn by how much items of the history rank lower or higher; the paper does not.", MODEL)
    ] = True,
    text_residual: Annotated[
        bool,
        option(
            "Let the texts reach an item's vector directly too, not through the codes alone as in the paper.", MODEL
        ),
    ] = True,
    with_ids: Annotated[
        bool, option("Add a free vector per item; helps where items are warm, and cannot rank new items.", MODEL)
    ] = False,
    negatives: Annotated[
        int,
        option(
            "Items drawn per step to rank against, beside the batch's targets; 0 is the whole catalogue.",
            LOSSES,
            min=0,
            metavar="N",
        ),
    ] = 0,
    temperature: Annotated[float, option("Divides the cosines in all losses.", LOSSES, metavar="T")] = 0.07,
    mcm_weight: Annotated[float, option("Weight of masked code modelling (a).", LOSSES, min=0, metavar="A")] = 0.1,
    msa_weight: Annotated[float, option("Weight of masked sequence alignment (b).", LOSSES, min=0, metavar="B")] = 0.1,
    mask_ratio: Annotated[float, option("Probability that a code is chosen for masking.", LOSSES, metavar="P")] = 0.5,
    mcm_softmax: Annotated[
        Literal["position", "table"],
        option("Rank a masked code against the codes of its position, or all codes as the authors do.", LOSSES),
    ] = "position",
    msa_same_target: Annotated[
        bool,
        option("Keep histories with the same next item as negatives of each other, as the authors do.", LOSSES),
    ] = False,
    targets: Annotated[
        Literal["all", "last"],
        option("All positions of a history are targets in one pass, or one row per prefix.", OPTIMIZATION),
    ] = "all",
    batch_size: Annotated[int, option("Histories per step.", OPTIMIZATION, min=1, metavar="N")] = 512,
    epochs: Annotated[int, option("Maximum number of epochs.", OPTIMIZATION, min=1, metavar="N")] = 200,
    patience: Annotated[
        int,
        option("Epochs without a better validation NDCG@10 before stopping.", OPTIMIZATION, min=1, metavar="N"),
    ] = 10,
    learning_rate: Annotated[float, option("Peak learning rate of AdamW.", OPTIMIZATION, metavar="X")] = 0.004,
    warmup_steps: Annotated[
        int, option("Steps over which the learning rate rises from 0.", OPTIMIZATION, min=0, metavar="N")
    ] = 100,
    weight_decay: Annotated[float, option("Weight decay of AdamW.", OPTIMIZATION, min=0, metavar="X")] = 1e-4,
    ema: Annotated[
        float,
        option(
            "Decay per step of the moving average of the weights, which is validated and kept; 0 turns it off.",
            OPTIMIZATION,
            min=0,
            metavar="X",
        ),
    ] = 0.98,
    seed: Annotated[
        int, option("Decides initial weights, order, masks and dropout.", OPTIMIZATION, min=0, metavar="N")
    ] = 0,
    resume: Annotated[
        bool | None,
        option(
            "Insist on continuing an interrupted run, or on starting afresh.",
            OPTIMIZATION,
            show_default="continue if there is one of the same options and inputs",
        ),
    ] = None,
    device: Device = "auto",
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        option("Of matrix products; auto is bfloat16 on a GPU, else float32.", MACHINE),
    ] = "auto",
    threads: Threads = None,
    workdir: Workdir = DEFAULT_WORKDIR,
    config: Config = None,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
    preset: Annotated[
        Literal["light", "paper"] | None,
        option(
            "Named set of options to start from; the configuration file, the environment and the command line win over "
            "it.",
            GENERAL,
            is_eager=True,
            callback=load_preset,
            show_default="the defaults shown here",
        ),
    ] = None,
) -> None:
    """Train the recommender.

    Reads sequences.parquet, embeddings.parquet and codes.parquet; makes model/. Training stops when validation no
    longer improves and keeps the weights of the best epoch. Interrupted with Ctrl-C, the same command goes on after
    the last finished epoch.
    """
    run_stage(ctx, leave_out=("preset",))
