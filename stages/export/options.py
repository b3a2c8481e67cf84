"""The options of ``export``."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from stages.artifacts.errors import UsageError
from stages.frame.extras import how_to_install
from stages.frame.machine import MACHINE, Device, Threads
from stages.frame.options import Option, Options

WHAT, OUTPUT = "What", "Output"

VECTORS, INDEX, TORCH, ONNX, CARD = FORMATS = ("vectors", "index", "torch", "onnx", "card")
"""What can be made."""

FLAT, HNSW, IVF_PQ = INDEXES = ("flat", "hnsw", "ivf-pq")
"""The kinds of index."""

_ONNX_LIBRARIES = ("onnx", "onnxruntime", "onnxscript")


@dataclass(frozen=True)
class ExportOptions(Options):
    """What is exported, and where it goes; see :func:`stages.export.export`."""

    formats: Annotated[
        tuple[str, ...],
        Option(
            "vectors: item_vectors.parquet and user_vectors.parquet; index: of the item vectors, for faiss; torch and "
            "onnx: the user encoder; card: model/README.md. Several separated by commas.",
            WHAT,
            metavar="NAME,NAME",
            unset="all; onnx where its libraries are installed",
        ),
    ] = ()
    index: Annotated[
        str,
        Option(
            "flat is exact; hnsw is fast, and larger; ivf-pq is fast and far smaller. The recall against exact search "
            "is printed.",
            WHAT,
            choices=INDEXES,
        ),
    ] = FLAT
    top: Annotated[
        int, Option("The K of recall@K, by which the index is held against exact search.", WHAT, min=1, metavar="K")
    ] = 10
    license: Annotated[
        str,
        Option(
            "The licence that the model card names: an identifier of the hub, such as mit or cc-by-4.0.",
            WHAT,
            metavar="ID",
            recorded=False,
        ),
    ] = "unknown"
    output: Annotated[
        Path | None,
        Option(
            "Write into this folder instead; the card stays beside the model.",
            OUTPUT,
            metavar="FOLDER",
            files="folder",
            unset="export/ in the work directory",
            recorded=False,
        ),
    ] = None
    batch_size: Annotated[
        int, Option("Histories read at a time; bounds the memory.", MACHINE, min=1, metavar="N", recorded=False)
    ] = 2048
    device: Device = "auto"
    threads: Threads = None

    def check(self) -> None:
        """Refuse formats that are none.

        Raises:
            UsageError: naming the option.
        """
        for name in self.formats:
            if name not in FORMATS:
                raise UsageError(f"--formats {name!r} is unknown", f"Choose among {', '.join(FORMATS)}.")
        if not self.license.isprintable() or not self.license.strip():
            raise UsageError("--license is no identifier", "A usual one is mit, apache-2.0 or cc-by-4.0.")


def missing_libraries() -> list[str]:
    """Which of the libraries of the extra ``onnx`` are not installed."""
    return [name for name in _ONNX_LIBRARIES if importlib.util.find_spec(name) is None]


def require_onnx() -> None:
    """Refuse to go on without the libraries of the extra ``onnx``.

    Raises:
        UsageError: naming what is missing and how it is installed.
    """
    if missing := missing_libraries():
        raise UsageError(
            f"--formats onnx needs {', '.join(missing)}, not installed",
            f"Install them with the extra ({how_to_install('onnx')}), or leave onnx out.",
        )
