import pytest
import torch

from stages.artifacts.errors import UsageError
from stages.model.device import PRECISIONS, autocast, resolve_device, share_device

CPU = torch.device("cpu")


def product_type(precision: str) -> torch.dtype:
    with autocast(CPU, precision):
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype


def test_auto_takes_a_gpu_when_there_is_one():
    assert resolve_device("cpu") == CPU
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gpu", r"--device 'gpu' is unknown\nChoose auto, cpu, cuda, cuda:N or mps\."),
        ("", "--device '' is unknown"),
        ("cuda:x", "--device 'cuda:x' is unknown"),
        ("meta", "--device 'meta' is not supported"),
        pytest.param(
            *("mps", r"--device mps: there is none on this machine\nChoose --device auto or cpu"),
            marks=pytest.mark.skipif(torch.backends.mps.is_available(), reason="there is one here"),
        ),
        ("cuda:99", r"--device cuda:99: there is no such GPU that torch can use\n.*choose --device cpu"),
    ],
)
def test_other_devices_are_refused(name, message):
    with pytest.raises(UsageError, match=message):
        resolve_device(name)


@pytest.fixture
def two_gpus(monkeypatch):
    """Torch says that there are two, and that this is the second process."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    return monkeypatch


def test_each_process_has_a_gpu_of_its_own(two_gpus):
    assert share_device("auto", 2) == torch.device("cuda")
    assert share_device("cuda:1", None) == torch.device("cuda:1")
    assert share_device("cpu", 5) == CPU
    for name, value in {"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4", "MASTER_ADDR": "a"}.items():
        two_gpus.setenv(name, value)
    assert share_device("auto", None) == torch.device("cuda:1")


@pytest.mark.parametrize(
    ("name", "processes", "message"),
    [
        ("auto", 3, r"3 processes need as many GPUs, and this machine has 2\nStart fewer"),
        ("cuda:0", 2, "--device cuda:0 is one for several processes"),
    ],
)
def test_processes_without_a_gpu_of_their_own_are_refused(two_gpus, name, processes, message):
    with pytest.raises(UsageError, match=message):
        share_device(name, processes)


def test_precision_of_products_on_a_cpu():
    found = {precision: product_type(precision) for precision in PRECISIONS}
    assert found == {"auto": torch.float32, "float32": torch.float32, "bfloat16": torch.bfloat16}


def test_an_unknown_precision_is_refused():
    with pytest.raises(UsageError, match=r"--precision 'half' is unknown\nChoose one of auto, float32, bfloat16\."):
        autocast(CPU, "half")
