"""A process that works alone has all that several would hand each other."""

import copy

import torch

from stages.model.sasrec import SASRec
from stages.model.team import ALONE, Team, joined_processes


def test_alone_nothing_changes():
    team = Team()
    items, vectors = torch.arange(1, 8), (torch.rand(7, 2), torch.rand(7, 2))
    assert team.first and team.generator is None
    assert team.own_items(items) is items and team.encoded == 7
    assert team.all_items(vectors, 7) is vectors
    assert team.own_rows(7, 3) == slice(0, 7)
    assert team.joined(vectors[0], [7]) is vectors[0]
    losses = {"loss": torch.ones(())}
    assert team.sum_losses(losses) is losses
    table = vectors[0].clone()
    team.fill(table, 2)
    team.sum(table)
    team.sum_gradients([table])
    team.require_same("a", "b")
    assert torch.equal(table, vectors[0])
    assert team.tell(3) == 3 and team.sent == 0
    assert team.hand_out(items) is items


def test_a_step_draws_what_torch_draws():
    ALONE.seed(5)
    drawn = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(3), drawn)


def test_copies_of_a_model_belong_to_the_same_processes():
    from models import config_of

    model = SASRec(config_of("sasrec", 5))
    model.team = Team()
    assert copy.deepcopy(model).team is model.team
    assert SASRec(config_of("sasrec", 5)).team is ALONE


def test_without_torchrun_there_are_no_others():
    with joined_processes(torch.device("cpu"), 1) as team:
        assert team.count == 1 and team is not ALONE
