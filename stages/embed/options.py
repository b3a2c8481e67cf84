"""The options of ``embed``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from stages.artifacts.errors import UsageError
from stages.frame.machine import LOCAL, MACHINE, Address, Engine, OwnProcesses, Threads, check_engine
from stages.frame.options import Option, Options

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
BACKENDS = ("torch", "openvino")
ENCODER = "Encoder"


@dataclass(frozen=True)
class EmbedOptions(Options):
    """How texts become vectors; see :func:`stages.embed.embed`.

    ``device``, ``backend`` and ``batch_tokens`` say how, not what: they touch rounding alone and make nothing stale.
    """

    views: Annotated[
        tuple[str, ...] | None,
        Option(
            "Text columns of items.parquet to embed, in this order: title,brand or given several times.",
            ENCODER,
            metavar="NAMES",
            unset="all that hold a text",
            common=True,
        ),
    ] = None
    model: Annotated[
        str,
        Option(
            "Sentence-transformers model: its name on the hub, or its folder.",
            ENCODER,
            metavar="NAME|FOLDER",
            common=True,
        ),
    ] = DEFAULT_MODEL
    max_tokens: Annotated[
        int | None,
        Option(
            "Tokens at which a text is cut.", ENCODER, min=1, metavar="N", unset="the model's own limit", common=True
        ),
    ] = None
    prompt: Annotated[
        str | None,
        Option(
            "Text put before every text; '' for none.",
            ENCODER,
            metavar="TEXT",
            unset="the model's own for documents or passages, else its default, if any",
        ),
    ] = None
    prompt_name: Annotated[
        str | None,
        Option(
            "Name of one of the model's own prompts, put before every text.", ENCODER, metavar="NAME", unset="see above"
        ),
    ] = None
    truncate_dim: Annotated[
        int | None,
        Option(
            "Keep the first D dimensions alone; for models trained for it (Matryoshka). --normalize comes after.",
            ENCODER,
            min=1,
            limit=65536,
            metavar="D",
            unset="all",
        ),
    ] = None
    normalize: Annotated[bool, Option("Scale the vectors to length 1.", ENCODER)] = False
    reuse: Annotated[
        Path | None,
        Option(
            "Work directory whose vectors are kept for the texts that it has embedded with this model and these "
            "options; --force encodes all texts again.",
            ENCODER,
            metavar="FOLDER",
            files="folder",
            unset="the work directory",
            recorded=False,
        ),
    ] = None
    trust_remote_code: Annotated[
        bool, Option("Run Python code that comes with the model.", ENCODER, switch=True, recorded=False)
    ] = False
    device: Annotated[
        str,
        Option(
            "Where to compute: auto, cpu, cuda, cuda:N or mps.", MACHINE, metavar="DEVICE", recorded=False, common=True
        ),
    ] = "auto"
    precision: Annotated[
        str,
        Option(
            "Number format of the encoder; auto is float32 on a CPU, bfloat16 on a GPU.", MACHINE, choices=PRECISIONS
        ),
    ] = "auto"
    backend: Annotated[
        str,
        Option(
            "What runs the encoder; openvino is faster on a CPU and needs an extra.",
            MACHINE,
            choices=BACKENDS,
            recorded=False,
            common=True,
        ),
    ] = "torch"
    batch_tokens: Annotated[
        int | None,
        Option(
            "Tokens of a batch, padding included.",
            MACHINE,
            min=1,
            metavar="N",
            unset="what suits the device",
            recorded=False,
            common=True,
        ),
    ] = None
    threads: Threads = None
    processes: OwnProcesses = None
    engine: Engine = LOCAL
    address: Address = None

    def check(self) -> None:
        """Refuse two prompts, an address without a cluster, and processes beside one.

        Raises:
            UsageError: naming the options.
        """
        check_engine(self.engine, self.address, self.processes)
        if self.prompt is not None and self.prompt_name is not None:
            raise UsageError("--prompt and --prompt-name exclude each other", "Give the text or the name.")
