"""What is computed again gives the same numbers and keeps no intermediate results."""

import gc
import subprocess
import sys
import weakref

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from stages.model.recompute import recomputed


def _model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Dropout(0.5), nn.Linear(32, 8), nn.LayerNorm(8))


def _gradients(how: str, autocast: bool) -> list[Tensor]:
    model = _model()
    inputs = torch.randn(6, 8)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        if how == "plain":
            outputs = [model(part) for part in inputs.split(2)]
        elif how == "checkpoint":
            outputs = [checkpoint(model, part, use_reentrant=False) for part in inputs.split(2)]
        else:
            outputs = [recomputed(model, part) for part in inputs.split(2)]
    torch.rand(3)  # the backward pass begins with other random numbers than the forward pass
    loss = torch.cat(outputs).square().mean()
    before = torch.get_rng_state()
    loss.backward()
    assert torch.equal(torch.get_rng_state(), before)
    return [loss.detach(), *(weight.grad for weight in model.parameters())]


@pytest.mark.parametrize("autocast", [False, True])
def test_results_and_gradients_are_those_of_the_plain_call_and_of_torch(autocast: bool) -> None:
    ours = _gradients("recomputed", autocast)
    for how in ("plain", "checkpoint"):
        assert all(torch.equal(one, two) for one, two in zip(ours, _gradients(how, autocast), strict=True)), how


def test_intermediate_results_are_freed_until_the_backward_pass() -> None:
    model, calls = _model(), 0
    alive: list[weakref.ref[Tensor]] = []

    def run(inputs: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        hidden = model[0](inputs)
        alive.append(weakref.ref(hidden))
        return model[1:](hidden)

    output = recomputed(run, torch.randn(2, 8))
    gc.collect()
    assert (calls, alive[0]()) == (1, None)
    output.sum().backward()
    assert calls == 2
    del output
    gc.collect()
    assert alive[1]() is None


def test_a_second_backward_pass_is_refused() -> None:
    output = recomputed(_model(), torch.randn(2, 8)).sum()
    output.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="a second backward pass"):
        output.backward()


def test_no_compiler_is_loaded() -> None:
    code = """
import sys, torch
from stages.model.recompute import recomputed
recomputed(torch.nn.Linear(3, 3), torch.ones(2, 3)).sum().backward()
sys.exit([name for name in ("torch._dynamo", "torch._inductor") if name in sys.modules] or 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
