import torch
from models import config_of

from stages.model.packing import Packing
from stages.model.transformer import Transformer


def test_histories_do_not_see_each_other_nor_the_future():
    torch.manual_seed(0)
    backbone = Transformer(config_of("sasrec", 10, max_history=8)).eval()
    lengths = torch.tensor([3, 8, 1, 5])
    x = torch.randn(int(lengths.sum()), 16)
    together = backbone(x, Packing.of_lengths(lengths))
    for part, whole in zip(x.split(lengths.tolist()), together.split(lengths.tolist()), strict=True):
        torch.testing.assert_close(backbone(part, Packing.of_lengths(torch.tensor([len(part)]))), whole)
        for cut in range(1, len(part)):
            prefix = backbone(part[:cut], Packing.of_lengths(torch.tensor([cut])))
            torch.testing.assert_close(prefix, whole[:cut])
