import platform
from pathlib import Path

import pytest
import torch

from stages.frame.processor import has_bfloat16, slow_bfloat16, told_by_linux


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx2 fma\n", False),
        ("processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16\n", True),
        ("processor\t: 0\nflags\t\t: fpu amx_tile amx_bf16\n", True),
        ("processor\t: 0\nFeatures\t: fp asimd bf16 i8mm\n", True),
        ("processor\t: 0\nFeatures\t: fp asimd\n", False),
        ("processor\t: 0\ncpu\t\t: POWER9\n", None),
        ("", None),
    ],
)
def test_what_linux_says(tmp_path, text, expected):
    (tmp_path / "cpuinfo").write_text(text)
    assert told_by_linux(tmp_path / "cpuinfo") is expected


def test_a_system_without_the_file_is_not_known(tmp_path):
    assert told_by_linux(tmp_path / "cpuinfo") is None


@pytest.mark.skipif(platform.system() != "Linux", reason="two sources are there on Linux alone")
def test_torch_and_linux_agree_about_this_processor():
    assert has_bfloat16() is told_by_linux(Path("/proc/cpuinfo"))


def pretend(monkeypatch, **told):
    """Another processor cannot be had in a test; torch tells of one."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: told, raising=False)


def test_who_asks_for_emulated_bfloat16_is_warned(monkeypatch):
    pretend(monkeypatch, architecture="x86_64", avx2=True, avx512_bf16=False, amx_bf16=False)
    assert "five times the CPU time of float32" in str(slow_bfloat16("bfloat16", "cpu"))
    for precision, device in (("auto", "cpu"), ("float32", "cpu"), ("bfloat16", "cuda")):
        assert slow_bfloat16(precision, device) is None


@pytest.mark.parametrize("told", [{"avx512_bf16": False, "amx_bf16": True}, {"bf16": True}, {"architecture": "other"}])
def test_who_has_the_instructions_or_may_have_them_is_not_warned(monkeypatch, told):
    pretend(monkeypatch, **told)
    assert slow_bfloat16("bfloat16", "cpu") is None


def test_a_torch_that_cannot_tell_leaves_it_to_linux(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert has_bfloat16() is told_by_linux(Path("/proc/cpuinfo"))
