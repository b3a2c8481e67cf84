"""Whole training steps, rankings and lists on ``cuda`` in bfloat16, by a torch that knows CUDA, without a GPU.

Devices, types and shapes are torch's own word, see :mod:`without_gpu`; kernels are not run. Torch's engine asks the
driver about the device, so the backward pass goes through its nodes by :mod:`walked`.
"""

import copy
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
import walked
from models import config_for, objective_of

from stages.artifacts.names import SEQUENCES
from stages.artifacts.sequences import Sequences, read_sequences
from stages.model.base import LearnedModel
from stages.model.catalogue import read_catalogue
from stages.model.device import autocast
from stages.model.objective import Objective
from stages.model.ranking import best_lists, queries, rank
from stages.model.recompute import recomputed
from stages.model.registry import BACKBONES, MODELS, model_class
from stages.train.adamw import AdamW
from stages.train.average import WeightAverage
from stages.train.finite import FiniteLosses
from stages.train.windows import Sampler, every_position

if torch.version.cuda is None:
    pytest.skip(f"this build of torch ({torch.__version__}) knows no CUDA", allow_module_level=True)

from without_gpu import CUDA, asks_the_driver, simulated_cuda

if asks_the_driver():
    pytest.skip(f"this torch ({torch.__version__}) indexes no tensor without a driver", allow_module_level=True)

README = Path(__file__).resolve().parents[3] / "stages" / "model" / "README.md"

SIZES = {"max_history": 6, "dropout": 0.1, "fusion_dropout": 0.1, "layers": 1, "fusion_layers": 1, "new_item_rate": 0.1}

LITTLE = 300_000
"""Bytes of a device that makes a part of the items be encoded once more in the backward pass."""

CASES = {
    **{name: (name, {}, {}) for name in MODELS},
    "little memory": ("cocorec", {}, {}),
    **{f"cocorec, {backbone}": ("cocorec", {"backbone": backbone}, {}) for backbone in BACKBONES},
    "counts": ("cocorec", {"cooccurrence_bias": True, "with_ids": True}, {}),
    "negatives": ("cocorec", {"cooccurrence_bias": True}, {"negatives": 20}),
    "the table": ("cocorec", {}, {"mcm_softmax": "table", "msa_same_target": True}),
}


@pytest.fixture(params=CASES)
def case(request, structured):
    """Model, on the CPU and counted, sequences, the objective, and bytes of the device."""
    name, sizes, objective = CASES[request.param]
    kind = model_class(name)
    catalogue = read_catalogue(structured, kind.reads, 8)
    torch.manual_seed(0)
    model = kind.build(config_for(name, catalogue, **{**SIZES, **sizes}), catalogue)
    sequences = read_sequences(structured / SEQUENCES, items=catalogue.items)
    model.count(sequences)
    return model, sequences, objective_of(**objective), LITTLE if request.param == "little memory" else 16 << 30


def test_a_step_a_ranking_and_lists(case):
    model, sequences, objective, memory = case
    learnt = learnt_on_the_cpu(model, sequences, objective) if isinstance(model, LearnedModel) else set()
    with simulated_cuda(memory) as simulated:
        model.to(CUDA)
        items = torch.from_numpy(sequences.items.astype("int64")).to(CUDA)
        if isinstance(model, LearnedModel):
            seen = torch.from_numpy(np.unique(sequences.items.astype("int64")))
            sampler = Sampler(items, every_position(sequences, 6), 32, 0, seen.to(CUDA))
            optimizer, average = AdamW(model.parameters(), 0.01, 0.01), WeightAverage(model, 0.9)
            finite = FiniteLosses(CUDA)
            before = {name: parameter.shadow.clone() for name, parameter in model.named_parameters()}
            batch = sampler.batch(sampler.order(0), 0)
            with autocast(CUDA, "auto"), mock.patch("stages.model.chunks.recomputed", wraps=recomputed) as again:
                losses = model.train().losses(batch, objective)
            assert bool(again.call_count) == (memory == LITTLE)
            assert {loss.device for loss in losses.values()} == {CUDA}
            finite.watch(1, losses)
            assert losses["loss"].dtype == torch.float32 and losses["loss"].requires_grad
            optimizer.zero_grad()
            losses["loss"].backward()
            optimizer.step()
            average.update(model)
            assert moved(model, before) == learnt
            waits_of_a_step = set(simulated.waits)
            finite.check()
            model = average.model
        else:
            waits_of_a_step = set()
        model.eval()
        wanted = queries(sequences, "valid", 6)
        with autocast(CUDA, "auto"):
            found = rank(model, items, wanted, top=5, exclude_seen=True, both=True, batch_size=64)
            lists, scores = best_lists(model, model.scorer(), items, wanted.spans, top=5, exclude_seen=True)
    assert found.ranks.shape == wanted.target.shape and found.ranks.min() >= 1
    np.testing.assert_array_equal(found.items, lists)
    assert scores.shape == lists.shape
    assert [wait for wait in sorted(waits_of_a_step) if not told(wait)] == []


def moved(model: LearnedModel, before: dict[str, torch.Tensor]) -> set[str]:
    """The weights that a step has changed, of which it has gradients, each of which fits."""
    changed = set()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is None) == torch.equal(parameter.shadow, before[name]), name
        if parameter.grad is not None:
            changed.add(name)
            assert (parameter.grad.device, parameter.grad.dtype) == (CUDA, parameter.dtype)
            assert parameter.grad.shape == parameter.shape and parameter.grad.shadow.isfinite().all()
    return changed


def learnt_on_the_cpu(model: LearnedModel, sequences: Sequences, objective: Objective) -> set[str]:
    """The weights that have a gradient; torch's engine and the walk agree on each of these."""
    items, found = torch.from_numpy(sequences.items.astype("int64")), []
    for do in (torch.autograd.backward, walked.backward):
        copied = copy.deepcopy(model).train()
        sampler = Sampler(items, every_position(sequences, 6), 32, 0, torch.unique(items))
        torch.manual_seed(1)
        with torch.autocast("cpu", torch.bfloat16):
            losses = copied.losses(sampler.batch(sampler.order(0), 0), objective)
        do(losses["loss"])
        found.append({name: p.grad for name, p in copied.named_parameters() if p.grad is not None})
    assert found[0].keys() == found[1].keys()
    for name, grad in found[0].items():
        torch.testing.assert_close(found[1][name], grad, rtol=1e-5, atol=1e-7, msg=name)
    return set(found[0])


def told(wait: tuple[str, str, str]) -> bool:
    """Whether the table of the README has a place where a step waits: the file, and the function or what is asked."""
    file, function, operation = wait
    rows = [row for row in README.read_text().splitlines() if f"`{file.removeprefix('model/')}`" in row]
    return any(f"{function}`" in row or f"`{operation}`" in row or "nonzero" in row for row in rows)


class Astray(torch.autograd.Function):
    """Its gradient is on the host."""

    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        return torch.ones(grad.shape)


def test_a_gradient_that_is_elsewhere_is_an_error():
    with simulated_cuda():
        x = torch.ones(2, device=CUDA, requires_grad=True)
        with pytest.raises(RuntimeError, match="AstrayBackward gives a gradient on cpu, expected on cuda:0"):
            Astray.apply(x).sum().backward()
        (x * x).sum().backward()
        assert (x.grad.device, x.grad.shadow.tolist()) == (CUDA, [2, 2])


def test_devices_that_differ_are_an_error():
    with simulated_cuda():
        there, here = torch.ones(2, device=CUDA), torch.ones(2)
        with pytest.raises(RuntimeError, match="device"):
            there + here
        with pytest.raises(RuntimeError, match="dtype"):
            torch.ones(2, 2, device=CUDA) @ torch.ones(2, 2, device=CUDA, dtype=torch.bfloat16)
        with pytest.raises(TypeError, match="host memory"):
            there.numpy()
        with autocast(CUDA, "auto"):
            assert (torch.ones(2, 2, device=CUDA) @ torch.ones(2, 2, device=CUDA)).dtype == torch.bfloat16


def test_what_the_host_reads_is_told():
    with simulated_cuda() as simulated:
        finite = FiniteLosses(CUDA)
        finite.watch(1, {"loss": torch.ones((), device=CUDA)})
        assert simulated.waits == set()
        finite.check()
        assert {wait[:2] for wait in simulated.waits} == {("train/finite.py", "check")}
