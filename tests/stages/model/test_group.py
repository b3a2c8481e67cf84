"""Steps that several processes share, against the same steps of one: losses, gradients, ranks, and what each does."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from shared_step import BATCHES, CASES, PLAIN, SEED, step

from stages.artifacts.names import SEQUENCES
from stages.artifacts.sequences import read_sequences
from stages.frame.processes.place import Place
from stages.model.group import Group
from stages.model.masking import CodeMasking
from stages.model.team import ALONE

SUPPORT = Path(__file__).resolve().parents[2] / "support"
ITEMS = 60


def free_port():
    """The first of two that nobody uses."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def run_together(count, workdir):
    """What each of so many processes prints."""
    common = {**os.environ, "WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    common |= {"PYTHONPATH": os.pathsep.join([str(SUPPORT), str(SUPPORT.parents[1])]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(SUPPORT / "shared_step.py"), str(workdir)]
    running = [
        subprocess.Popen(
            command,
            env={**common, "RANK": str(rank)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]
    try:
        first = running[0].communicate(timeout=300)
        ended = [first, *(process.communicate(timeout=60) for process in running[1:])]  # their stdin ends here
    finally:
        for process in running:
            process.kill()
    for process, (_, err) in zip(running, ended, strict=True):
        assert process.returncode == 0, err
    return [json.loads(out.splitlines()[-1]) for out, _ in ended]  # some versions of torch print, too


@pytest.fixture(scope="module", params=[2, pytest.param(4, marks=pytest.mark.slow)])
def processes(request, make_structured, tmp_path_factory):
    return run_together(request.param, make_structured(tmp_path_factory.mktemp("shared")))


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("case", CASES)
def test_losses_and_gradients_are_those_of_one_process(processes, case, batch):
    for found in processes:
        step = found["cases"][case][batch]
        assert step["losses"] < 1e-12
        assert step["gradients"] < 1e-9
        assert {"mcm", "msa"} <= set(step["names"]) if "fusion" in case else step["names"] == ["loss", "rec"]


@pytest.mark.parametrize("case", CASES)
def test_ranks_and_lists_are_those_of_one_process(processes, case):
    assert all(found["cases"][case]["ranking"] and found["cases"][case]["lists"] for found in processes)


@pytest.mark.parametrize("case", CASES)
def test_each_process_encodes_its_share_of_the_items(processes, case):
    for found in processes:
        own, all_items = found["cases"][case]["whole"]["encoded"]
        assert own == -(-all_items // len(processes))
        assert all_items == ITEMS if "sampled" not in case and "paper" not in case else all_items < ITEMS


@pytest.mark.parametrize(("case", "tables"), [("cocorec", 2), ("text", 1), ("sasrec", 1)])
def test_what_is_sent_is_the_vectors_and_the_gradients(processes, case, tables):
    count = len(processes)
    step = processes[0]["cases"][case]["whole"]
    rows = -(-ITEMS // count) * count
    vectors = 2 * rows * tables * 16 * 8 * (count - 1) // count  # there, and their gradients back
    gradients = 2 * step["weights"] * 8 * (count - 1) // count
    losses = 2 * 2 * 8 * (count - 1) // count
    assert step["sent"] == pytest.approx(vectors + gradients + losses, abs=8)
    assert {found["cases"][case]["whole"]["sent"] for found in processes} == {step["sent"]}


def test_an_error_of_one_process_is_one_of_all(processes):
    told = [found["failures"]["together"] for found in processes]
    assert told[1] == "a score"
    assert all("another of the processes" in each for each in told[:1] + told[2:])
    assert all(found["failures"]["same"] == "they differ" for found in processes)


def test_the_first_process_tells_the_others(processes):
    assert all(found["failures"]["told"] == 5 for found in processes)
    assert all(found["failures"]["handed out"] == [[0, 1, 2], []] for found in processes)


def test_what_is_drawn_together_is_the_same_and_the_rest_is_not(processes):
    assert len({found["common random"] for found in processes}) == 1
    assert len({found["own random"] for found in processes}) == len(processes)


def test_a_process_that_does_not_answer_is_not_waited_for(processes):
    assert "process 0 of" in processes[0]["waited"] and "waited 1.5 s" in processes[0]["waited"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here; NCCL needs one")
@pytest.mark.parametrize("losses", [PLAIN, {"masking": CodeMasking(1.0, mask_share=1.0, random_share=0.0)}])
def test_nccl_hands_a_process_what_it_has(structured, monkeypatch, losses):
    from models import config_for, objective_of

    from stages.model.catalogue import read_catalogue
    from stages.model.cocorec import CoCoRec
    from stages.train.windows import Sampler, every_position

    for name, value in {"RANK": 0, "WORLD_SIZE": 1, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}.items():
        monkeypatch.setenv(name, str(value))
    device = torch.device("cuda", 0)
    catalogue = read_catalogue(structured, CoCoRec.reads, 8)
    model = CoCoRec.build(config_for("cocorec", catalogue, max_history=6), catalogue).to(device)
    sequences = read_sequences(structured / SEQUENCES)
    items = torch.from_numpy(sequences.items.astype("int64")).to(device)
    sampler = Sampler(items, every_position(sequences, 6), 64, SEED)
    alone = step(model, sampler, objective_of(**losses), ALONE)
    with Group.opened(Place(0, 1, 0), device, 60) as group:
        shared = step(model, sampler, objective_of(**losses), group)
    assert shared[0] == pytest.approx(alone[0], rel=1e-5)
    for name, gradient in alone[1].items():
        torch.testing.assert_close(shared[1][name], gradient, rtol=1e-3, atol=1e-5)
