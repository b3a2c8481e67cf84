"""What every backbone of the registry has to keep."""

import pytest
import torch
from models import config_of

from stages.model.packing import Packing
from stages.model.registry import BACKBONES, backbone_class

LENGTHS = torch.tensor([3, 12, 1, 7])


@pytest.mark.parametrize("name", BACKBONES)
def test_histories_do_not_see_each_other_nor_the_future(name):
    torch.manual_seed(0)
    backbone = backbone_class(name)(config_of("sasrec", 10, max_history=12)).eval()
    x = torch.randn(int(LENGTHS.sum()), 16)
    together = backbone(x, Packing.of_lengths(LENGTHS))
    for part, whole in zip(x.split(LENGTHS.tolist()), together.split(LENGTHS.tolist()), strict=True):
        torch.testing.assert_close(backbone(part, Packing.of_lengths(torch.tensor([len(part)]))), whole)
        for cut in range(1, len(part)):
            prefix = backbone(part[:cut], Packing.of_lengths(torch.tensor([cut])))
            torch.testing.assert_close(prefix, whole[:cut])


@pytest.mark.parametrize("name", BACKBONES)
def test_an_output_depends_on_every_item_before_it(name):
    torch.manual_seed(0)
    backbone = backbone_class(name)(config_of("sasrec", 10, max_history=12)).eval()
    x = torch.randn(12, 16, requires_grad=True)
    last = backbone(x, Packing.of_lengths(torch.tensor([12])))[-1]
    (gradient,) = torch.autograd.grad(last.square().sum() + last[0], x)
    assert (gradient.abs().sum(1) > 1e-6).all()
