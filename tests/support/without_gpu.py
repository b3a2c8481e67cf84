"""A CUDA device on a machine without one: torch's fake tensors for devices and types, the CPU for what the host reads.

A tensor is a fake of ``torch._subclasses`` that says it is on ``cuda``; torch checks devices, types and shapes as it
does there. Its ``shadow`` is a real tensor on the CPU with the same numbers, so that sizes that depend on data are
known.
"""

import os
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
import walked
from torch import Tensor
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensor,
    FakeTensorMode,
)
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

STAGES = f"{os.sep}stages{os.sep}"

CUDA = torch.device("cuda", 0)


def asks_the_driver() -> bool:
    """Whether torch asks for a driver even to index a fake tensor, as 2.6 and 2.7 do."""
    try:
        with FakeTensorMode():
            torch.zeros(1, device=CUDA)[torch.zeros(1, dtype=torch.int64, device=CUDA)]
    except RuntimeError:
        return True
    return False


class Simulated(TorchDispatchMode):
    """Each operation twice: by the fakes, and by their shadows.

    Attributes:
        fakes: torch's own mode.
        waits: where the host had to know what is on the device, ``(file, function, operation)``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fakes = FakeTensorMode()
        self.waits: set[tuple[str, str, str]] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given, shape = tree_flatten((args, kwargs or {}))
        fake = [self._fake(value) for value in given]
        fake_args, fake_kwargs = tree_unflatten(fake, shape)
        real_args, real_kwargs = tree_unflatten([_shadow(value) for value in fake], shape)
        on_device = any(isinstance(value, FakeTensor) and value.device.type == "cuda" for value in fake)
        known = True
        try:
            found = func(*fake_args, **fake_kwargs)
        except (DataDependentOutputException, DynamicOutputShapeException):
            known = False
        with _disable_current_modes():
            real = func(*real_args, **real_kwargs)
        if known and isinstance(found, FakeTensor) and on_device and found.device.type == "cpu":
            self._wait(func)  # a copy to the host
        if not known:
            if on_device:
                self._wait(func)
            device = _device_of(func, fake)
            found = tree_map(lambda value: self._like(value, device), real)
        for ours, theirs in zip(tree_flatten(found)[0], tree_flatten(real)[0], strict=True):
            if isinstance(ours, FakeTensor):
                assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype), (func, ours, theirs)
                ours.shadow = theirs
        return found

    def _fake(self, value: Any) -> Any:
        if not isinstance(value, Tensor) or isinstance(value, FakeTensor):
            return value
        assert value.device.type == "cpu"
        with _disable_current_modes():
            plain = value.detach()
            found = self.fakes.from_tensor(plain)
        found.shadow = plain
        return found

    def _like(self, value: Any, device: torch.device) -> Any:
        if not isinstance(value, Tensor):
            return value
        with self.fakes:
            return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device=device)

    def _wait(self, func: Any) -> None:
        for frame in reversed(traceback.extract_stack()):
            if STAGES in frame.filename and f"{os.sep}tests{os.sep}" not in frame.filename:
                name = Path(frame.filename).as_posix().rpartition("/stages/")[2]
                self.waits.add((name, frame.name, func.overloadpacket.__name__))
                return


def _shadow(value: Any) -> Any:
    if isinstance(value, FakeTensor):
        return value.shadow
    return torch.device("cpu") if isinstance(value, torch.device) else value


def _device_of(func: Any, given: list[Any]) -> torch.device:
    tensors = [value for value in given if isinstance(value, FakeTensor)]
    devices = {value.device for value in tensors if value.dim()} or {value.device for value in tensors}
    assert len(devices) == 1, f"{func}: tensors on {devices}"
    return devices.pop()


def _numpy(tensor: Tensor, **options: Any) -> Any:
    if not isinstance(tensor, FakeTensor):
        return _NUMPY(tensor, **options)
    if tensor.device.type != "cpu":
        raise TypeError(f"can't convert {tensor.device} tensor to numpy; copy it to host memory first")
    with _disable_current_modes():
        return _NUMPY(tensor.shadow.detach(), **options)


def _copied(tensor: Tensor, memo: dict[int, Any]) -> Any:
    """As ``copy.deepcopy`` of a plain tensor, which would take over storages that fakes do not have."""
    if not isinstance(tensor, FakeTensor):
        return _DEEPCOPY(tensor, memo)
    return memo.setdefault(id(tensor), tensor.detach().clone().requires_grad_(tensor.requires_grad))


_NUMPY, _DEEPCOPY = Tensor.numpy, Tensor.__deepcopy__


@contextmanager
def simulated_cuda(memory: int = 16 << 30) -> Iterator[Simulated]:
    """Inside the block ``cuda`` can be computed on.

    Args:
        memory: bytes that the device is said to have.
    """
    mode = Simulated()
    properties = SimpleNamespace(total_memory=memory)
    before = torch.__future__.get_overwrite_module_params_on_conversion()
    with ExitStack() as stack:
        stack.enter_context(mock.patch("torch.cuda.amp.common.amp_definitely_not_available", lambda: False))
        stack.enter_context(mock.patch("torch.cuda.is_bf16_supported", lambda *_, **__: True))
        stack.enter_context(mock.patch("torch.cuda.get_device_properties", lambda *_: properties))
        stack.enter_context(mock.patch("torch.cuda.get_rng_state", lambda *_: None))  # shadows draw from the CPU's
        stack.enter_context(mock.patch("torch.cuda.set_rng_state", lambda *_: None))
        stack.enter_context(mock.patch("torch.autograd.backward", walked.backward))
        stack.enter_context(mock.patch.object(Tensor, "numpy", _numpy))
        stack.enter_context(mock.patch.object(Tensor, "__deepcopy__", _copied))
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))  # the CPU has no kernel of the others
        torch.__future__.set_overwrite_module_params_on_conversion(True)
        stack.callback(torch.__future__.set_overwrite_module_params_on_conversion, before)
        stack.enter_context(mode.fakes)
        stack.enter_context(mode)
        yield mode
