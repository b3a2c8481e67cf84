"""What the processor can do, as far as it decides which options pay."""

from pathlib import Path

_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")
"""Names of bfloat16 instructions, of x86 and of Arm, both in torch and in Linux."""

_CPUINFO = Path("/proc/cpuinfo")


def has_bfloat16() -> bool | None:
    """Whether the processor multiplies in bfloat16; ``None`` where neither torch nor Linux tells."""
    import torch

    # Not in the oldest torch that is allowed.
    if capabilities := getattr(torch.cpu, "get_capabilities", None):
        told = capabilities()
        known = [bool(told[name]) for name in _INSTRUCTIONS if name in told]
        return any(known) if known else None
    return told_by_linux(_CPUINFO)


def told_by_linux(path: Path) -> bool | None:
    """The same from a file like ``/proc/cpuinfo``; ``None`` where it does not list what the processor can do."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, listed = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return not set(_INSTRUCTIONS).isdisjoint(listed.split())
    return None


def slow_bfloat16(precision: str, device: str) -> str | None:
    """What to warn of where bfloat16 is asked for and the processor has to emulate it.

    Args:
        precision: as it was asked for; ``auto`` never takes bfloat16 on a CPU.
        device: its kind, such as ``cpu``.
    """
    if precision != "bfloat16" or device != "cpu" or has_bfloat16() is not False:
        return None
    return (
        "--precision bfloat16: this processor has no instructions for it and emulates them. On an AMD EPYC without "
        "AVX-512 `embed` took five times the CPU time of float32 (3.0 s against 0.6 for texts of 250 tokens, 0.9 "
        "against 0.17 for short ones). Use --precision float32."
    )
