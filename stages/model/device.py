"""Where to compute and in which precision."""

import contextlib
from contextlib import AbstractContextManager

import torch

from stages.artifacts.errors import UsageError
from stages.frame.processes.place import own_place

PRECISIONS = ("auto", "float32", "bfloat16")


def resolve_device(name: str) -> torch.device:
    """The device for ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``; ``auto`` takes an NVIDIA GPU if there is one.

    Apple's ``mps`` has to be asked for: nobody has measured it.

    Raises:
        UsageError: when the name is unknown or the device is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"--device {name!r} is unknown", "Choose auto, cpu, cuda, cuda:N or mps.") from None
    if device.type not in ("cpu", "cuda", "mps"):
        raise UsageError(f"--device {name!r} is not supported", "Choose auto, cpu, cuda, cuda:N or mps.")
    if device.type == "cuda" and (not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count()):
        raise UsageError(
            f"--device {name}: there is no such GPU that torch can use",
            "Install a CUDA build of torch and a driver, or choose --device cpu.",
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UsageError("--device mps: there is none on this machine", "Choose --device auto or cpu.")
    return device


def share_device(name: str, processes: int | None) -> torch.device:
    """The device of a process of several: each has a GPU of its own, by its number on its machine.

    Args:
        name: as of :func:`resolve_device`.
        processes: that are to be started here; ``None`` where this is one of them, or works alone.

    Raises:
        UsageError: also when there are fewer GPUs than processes, or the name is of one of them.
    """
    device, place = resolve_device(name), own_place()
    if (processes is None and place is None) or device.type == "cpu":
        return device
    if device.type != "cuda" or ":" in name:
        raise UsageError(f"--device {name} is one for several processes", "Choose cuda, auto or cpu.")
    wanted = processes if place is None else place.local + 1
    if wanted is not None and wanted > (found := torch.cuda.device_count()):
        raise UsageError(
            f"{wanted} processes need as many GPUs, and this machine has {found}",
            "Start fewer with --processes, or choose --device cpu.",
        )
    return device if place is None else torch.device("cuda", place.local)


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """The context for forward passes: bfloat16 matrix products where asked for, or by ``auto`` on a GPU.

    Raises:
        UsageError: when the precision is unknown.
    """
    if precision not in PRECISIONS:
        raise UsageError(f"--precision {precision!r} is unknown", f"Choose one of {', '.join(PRECISIONS)}.")
    if precision == "bfloat16" or (precision == "auto" and device.type == "cuda"):
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()
