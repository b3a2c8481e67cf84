"""One of several processes that share steps of training; prints, as JSON, how far it is from what one process computes.

RANK=0 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=29400 python shared_step.py WORKDIR
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
import torch
from models import config_for, objective_of

from stages.artifacts.errors import NotFiniteError, ProcessError
from stages.artifacts.names import SEQUENCES
from stages.artifacts.sequences import read_sequences
from stages.frame.processes.place import own_place
from stages.model import recommender
from stages.model.catalogue import read_catalogue
from stages.model.group import Group
from stages.model.ranking import best_lists, queries, rank
from stages.model.registry import model_class
from stages.model.team import ALONE, joined_processes
from stages.train.windows import WINDOWS, Sampler

PLAIN = {"mcm_weight": 0, "msa_weight": 0}
CASES = {
    "cocorec": (
        "cocorec",
        {"fusion_layers": 0, "with_ids": True, "new_item_rate": 0.3, "cooccurrence_bias": True},
        PLAIN,
    ),
    "cocorec, sampled": ("cocorec", {"with_ids": True, "cooccurrence_bias": True}, {**PLAIN, "negatives": 9}),
    "fusion": ("cocorec", {"fusion_layers": 1}, {}),
    "fusion, paper": (
        "cocorec",
        {"fusion_layers": 2, "learnable_mask": False},
        {"mcm_softmax": "table", "msa_same_target": True, "negatives": 9},
    ),
    "text": ("text", {"with_ids": True, "new_item_rate": 0.3, "cooccurrence_bias": True}, PLAIN),
    "text, sampled": ("text", {}, {**PLAIN, "negatives": 9}),
    "sasrec": ("sasrec", {}, PLAIN),
    "sasrec, sampled": ("sasrec", {}, {**PLAIN, "negatives": 9}),
}
"""Models, their sizes and their losses."""

LENGTH, SEED = 6, 7
IN_FLOAT32 = torch.Tensor.float
BATCHES = {"whole": 16, "one history": 1}
"""Histories of a step; of a single one the other processes have none."""


def step(model, sampler, objective, team):
    """Losses and gradients of one step, added up over the processes."""
    model.team = team
    team.seed(SEED)
    losses = model.losses(sampler.batch(sampler.order(0), 0), objective)
    model.zero_grad()
    losses["loss"].backward()
    losses = team.sum_losses(losses)
    team.sum_gradients(model.parameters())
    gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    return {name: loss.item() for name, loss in losses.items()}, gradients


def distance(ours, theirs):
    """The largest relative difference of tensors of the same names."""
    assert ours.keys() == theirs.keys()
    return max(((ours[n] - theirs[n]).abs().max() / theirs[n].abs().max().clamp(min=1e-9)).item() for n in ours)


def compare(case, workdir, sequences, group):
    """Losses, gradients, ranks and lists of this process' part against those of one that works alone."""
    name, sizes, losses = CASES[case]
    kind = model_class(name)
    catalogue = read_catalogue(workdir, kind.reads, 8)
    torch.manual_seed(SEED)
    model = kind.build(config_for(name, catalogue, max_history=LENGTH, layers=1, **sizes), catalogue)
    torch.Tensor.float = IN_FLOAT32
    model.count(sequences)
    torch.Tensor.float = lambda self: self  # losses stay in float64, so that they can be compared closely
    for parameter in model.parameters():
        if not parameter.abs().max():
            torch.nn.init.normal_(parameter, std=0.3)
    model = model.double()
    model.encoder.texts = getattr(model.encoder, "texts", torch.zeros(0)).double()
    items = torch.from_numpy(sequences.items.astype(np.int64))
    windows = WINDOWS["last" if "paper" in case else "all"](sequences, LENGTH)
    objective, found = objective_of(**losses), {}
    for label, size in BATCHES.items():
        group.encoded = group.sent = ALONE.encoded = 0
        alone = step(model, Sampler(items, windows, size, SEED), objective, ALONE)
        shared = step(model, Sampler(items, windows, size, SEED, team=group), objective, group)
        found[label] = {
            "losses": max(abs(shared[0][n] - alone[0][n]) / max(1e-3, abs(alone[0][n])) for n in alone[0]),
            "names": sorted(shared[0]),
            "gradients": distance(shared[1], alone[1]),
            "encoded": [group.encoded, ALONE.encoded],
            "sent": group.sent,
            "weights": sum(p.numel() for p in model.parameters() if p.grad is not None),
        }
    torch.Tensor.float = IN_FLOAT32
    model = model.float()
    wanted = queries(sequences, "valid", LENGTH)
    ranked = []
    for team in (ALONE, group):
        model.team = team
        ranked.append(rank(model.eval(), items, wanted, top=5, both=True, exclude_seen=True, batch_size=50))
    found["ranking"] = all(np.array_equal(getattr(ranked[0], n), getattr(ranked[1], n)) for n in vars(ranked[0]))
    lists, scores = best_lists(model, model.scorer(), items, wanted.spans, top=5, exclude_seen=True, batch_size=50)
    found["lists"] = np.array_equal(lists, ranked[0].items) and np.array_equal(scores, ranked[0].scores)
    return found


def failures(group):
    """What becomes of errors of one process."""
    found = {}
    try:
        with group.failing_together(NotFiniteError):
            if group.rank == 1:
                raise NotFiniteError("a score")
    except NotFiniteError as error:
        found["together"] = error.message
    try:
        group.require_same(str(group.rank), "they differ")
    except ProcessError as error:
        found["same"] = error.message
    found["told"] = group.tell(5 + group.rank)
    given = (torch.arange(3, dtype=torch.int32), torch.zeros(0, dtype=torch.int64))
    found["handed out"] = [group.hand_out(each if group.first else None).tolist() for each in given]
    return found


def main(workdir):
    """Compare all cases."""
    torch.set_num_threads(1)
    recommender._CHUNK_ITEMS = 16  # several shares of a small catalogue
    sequences = read_sequences(workdir / SEQUENCES)
    found = {"cases": {}}
    with joined_processes(torch.device("cpu"), 60) as group:
        for case in CASES:
            found["cases"][case] = compare(case, workdir, sequences, group)
        found["failures"] = failures(group)
        torch.manual_seed(0)
        group.seed(SEED)
        found["own random"] = torch.rand(()).item()
        found["common random"] = torch.rand((), generator=group.generator).item()
    os.environ["MASTER_PORT"] = str(int(os.environ["MASTER_PORT"]) + 1)
    with Group.opened(own_place(), torch.device("cpu"), 1.5) as group:
        if group.rank == 0:
            try:
                group.tell(1)
                group.sum(torch.ones(3))
            except ProcessError as error:
                found["waited"] = error.message
        else:
            group.tell(0)
            sys.stdin.read()  # does not answer
        print(json.dumps(found), flush=True)
        os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
