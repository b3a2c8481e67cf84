"""The user encoder as programs that run without cocorec: ``torch.export`` and ONNX."""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from stages.artifacts.errors import CocorecError, UsageError
from stages.export.encoder import UserEncoder

INPUT, OUTPUT = "items", "vector"
"""What the programs call what goes in, (B, L) int64, and what comes out, (B, d) float32."""

_LARGEST = (1 << 31) - (1 << 24)
"""Bytes of a file in protocol buffers, with room for what is no weight."""

_EXAMPLE = 2
"""Histories with which the encoder is traced; any number does, but 0 and 1 would be taken for constants."""

_MOST = 1 << 31
"""Histories at once that the graph is made for: torch 2.7 cannot prove it for a number without end."""


def traced(encoder: UserEncoder) -> torch.export.ExportedProgram:
    """The encoder as a graph, for any number of histories."""
    batch = torch.export.Dim("batch", max=_MOST)
    with _quiet(), torch.no_grad():
        program = torch.export.export(encoder, (_example(encoder),), dynamic_shapes={INPUT: {0: batch}})
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # names the files of whoever exported it
    # A history nobody needs, which would be pickled.
    program.example_inputs = None
    return program


def _example(encoder: UserEncoder) -> torch.Tensor:
    return torch.zeros(_EXAMPLE, encoder.length, dtype=torch.int64)


def write_torch(program: torch.export.ExportedProgram, path: Path) -> None:
    """Write ``user_encoder.pt2``, for ``torch.export.load``.

    Raises:
        OSError: when it cannot be written.
    """
    content = io.BytesIO()  # a path would stand in the archive
    with _quiet():
        torch.export.save(program, content)
    path.write_bytes(content.getvalue())


def run_torch(path: Path, items: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """What the program in a file gives for histories (B, L): (B, d)."""
    with _quiet(), torch.no_grad():
        vectors: torch.Tensor = torch.export.load(io.BytesIO(path.read_bytes())).module()(torch.from_numpy(items))
    return vectors.numpy()


def write_onnx(encoder: UserEncoder, path: Path) -> None:
    """Write ``user_encoder.onnx``, one file.

    Raises:
        UsageError: when the items' vectors do not fit into a file of this format.
        OSError: when it cannot be written.
    """
    size = sum(tensor.nbytes for tensor in (*encoder.parameters(), *encoder.buffers()))
    if size > _LARGEST:
        raise UsageError(
            f"--formats onnx: {size / 2**30:.1f} GiB of vectors do not fit into a file of ONNX, which holds 2 GiB",
            "Leave onnx out; the program of torch has no such limit.",
        )
    with _quiet():
        made = torch.onnx.export(
            encoder,
            (_example(encoder),),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes={INPUT: {0: "batch"}},
            dynamo=True,
            verbose=False,
        )
    if made is None:
        raise CocorecError("the encoder could not be made a program of ONNX", "Leave onnx out of --formats.")
    for node in made.model.graph:
        node.metadata_props.clear()  # names the files of whoever exported it
    path.write_bytes(made.model_proto.SerializeToString(deterministic=True))


def run_onnx(path: Path, items: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """What the program in a file gives for histories (B, L): (B, d)."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    [vectors] = session.run([OUTPUT], {INPUT: items})
    return np.asarray(vectors)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporters say of themselves: deprecations, and libraries that nobody asked for."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
