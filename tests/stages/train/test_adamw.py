"""The optimizer is torch's, to the bit."""

import torch
from torch import nn

from stages.train.adamw import AdamW


def _trained(ours: bool) -> tuple[nn.Module, dict[str, dict[str, torch.Tensor]]]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(7, 5), nn.GELU(), nn.Linear(5, 3), nn.Linear(3, 2))
    options = (0.01, 0.1)
    if ours:
        optimizer = AdamW(model.parameters(), *options)
    else:
        optimizer = torch.optim.AdamW(model.parameters(), lr=options[0], weight_decay=options[1], fused=True)
    for step in range(30):
        if ours:
            optimizer.learning_rate = 0.01 * (step + 1)
        else:
            optimizer.param_groups[0]["lr"] = 0.01 * (step + 1)
        last = model if step % 3 else model[:3]  # every third step leaves a layer without gradients
        optimizer.zero_grad()
        last(torch.randn(11, 7)).square().sum().backward()
        optimizer.step()
    names = {parameter: name for name, parameter in model.named_parameters()}
    return model, {names[parameter]: dict(values) for parameter, values in optimizer.state.items()}


def test_weights_and_state_are_those_of_torch() -> None:
    (ours, state), (theirs, expected) = _trained(True), _trained(False)
    for name, weight in ours.named_parameters():
        assert torch.equal(weight, theirs.get_parameter(name)), name
    assert state.keys() == expected.keys()
    for name, values in expected.items():
        assert state[name].keys() == values.keys()
        assert all(torch.equal(state[name][kind], value) for kind, value in values.items()), name
    assert state["3.weight"]["step"] == 20


def test_without_a_gradient_nothing_moves() -> None:
    weight = nn.Parameter(torch.ones(3))
    optimizer = AdamW([weight], 1.0, 0.5)
    optimizer.step()
    assert torch.equal(weight, torch.ones(3))
    assert optimizer.state[weight] == {}
