"""Several processes that encode: what each does, in this one, and a run of two real ones."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import stages.embed.batches as batches
import stages.embed.shares as module
from stages.artifacts import names
from stages.artifacts.errors import UsageError
from stages.artifacts.vectors import iterate_view
from stages.embed import EmbedOptions, embed
from stages.embed.shares import encode_share, processes_to_start
from stages.frame.result import Result

COUNT = 2


def vectors(workdir: Path) -> Any:
    return np.concatenate([made for made, _ in iterate_view(workdir / names.EMBEDDINGS, "title", 32)])


def as_process(rank: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": COUNT, "MASTER_ADDR": "here"}.items():
        monkeypatch.setenv(name, str(value))


@pytest.fixture
def chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "CHUNK_TOKENS", 600)  # several chunks


@pytest.fixture
def titles(sentences: Callable[..., list[str]]) -> list[str | None]:
    return [*sentences(200), None, *sentences(50)]


def test_two_processes_give_the_vectors_of_one_and_each_text_once(
    make_items: Callable[..., Path], titles: list[str], tiny_model: Path, recorder, chunks: None
) -> None:
    alone, together = make_items({"title": titles}, "alone"), make_items({"title": titles}, "together")
    model = {"model": str(tiny_model), "batch_tokens": 100, "device": "cpu", "prompt": "the "}
    plain = embed(EmbedOptions(**model, threads=1), workdir=alone)
    advanced: list[int] = []
    recorder.track = lambda label, total=None, unit="": Tracked(advanced if label == "encoding" else [])
    shared = embed(EmbedOptions(**model, threads=1, processes=COUNT), workdir=together, reporter=recorder)
    np.testing.assert_allclose(vectors(together), vectors(alone), rtol=1e-5, atol=1e-6)
    assert shared.facts == {**plain.facts, "processes": COUNT}
    assert sum(advanced) == shared.facts["texts"] and len(advanced) > 2
    assert [path.name for path in (together / ".cocorec").iterdir() if "tmp" in path.name] == []
    assert recorder.warnings == []
    assert embed(EmbedOptions(**model), workdir=together).skipped  # processes make nothing stale


class Tracked:
    """Keeps what a reporter is told of progress."""

    def __init__(self, told: list[int]) -> None:
        self._told = told

    def __enter__(self) -> Callable[[int], None]:
        return self._told.append

    def __exit__(self, *error: object) -> None:
        pass


def test_each_process_fills_its_chunks_alone(
    make_items: Callable[..., Path],
    titles: list[str],
    tiny_model: Path,
    recorder,
    chunks: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One after the other in this process; a chunk that is there is not made again."""
    options = EmbedOptions(model=str(tiny_model), batch_tokens=100, device="cpu", processes=COUNT)
    filled: list[list[str]] = []

    def launch(stage: str, given: EmbedOptions, **call: Any) -> Result:
        assert (stage, given, call["count"]) == ("stages.embed.shares:encode_share", options, COUNT)
        folder = call["workdir"] / ".cocorec"
        for rank in range(COUNT):
            before = {path: path.stat().st_mtime_ns for path in folder.glob("embed-*/*.f32")}
            as_process(rank, monkeypatch)
            result = encode_share(
                given, workdir=call["workdir"], force=False, reporter=call["reporter"], **call["handed"]
            )
            filled.append(sorted(path.name for path in folder.glob("embed-*/*.f32") if path not in before))
            assert all(path.stat().st_mtime_ns == time for path, time in before.items())
        for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR"):
            monkeypatch.delenv(name)
        if len(filled) == COUNT:
            next(folder.glob("embed-*/000003.f32")).unlink()
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(module, "launch", launch)
    workdir, alone = make_items({"title": titles}), make_items({"title": titles}, "alone")
    with pytest.raises(KeyboardInterrupt):
        embed(options, workdir=workdir)
    count = sum(map(len, filled))
    assert count > 4
    assert filled == [[f"{chunk:06}.f32" for chunk in range(rank, count, COUNT)] for rank in range(COUNT)]
    result = embed(options, workdir=workdir, reporter=recorder)
    assert filled[COUNT:] == [["000003.f32"], []]  # there was no chunk left for the second one
    assert any("continuing an interrupted run" in message for message in recorder.infos)
    assert result.facts["threads"] == torch.get_num_threads()
    embed(EmbedOptions(model=str(tiny_model), batch_tokens=100, device="cpu"), workdir=alone)
    np.testing.assert_allclose(vectors(workdir), vectors(alone), rtol=1e-5, atol=1e-6)


def test_where_processes_encode(monkeypatch: pytest.MonkeyPatch) -> None:
    assert processes_to_start(EmbedOptions()) is None
    assert processes_to_start(EmbedOptions(processes=1)) is None
    assert processes_to_start(EmbedOptions(processes=3, device="cpu")) == (3, "cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for device in ("auto", "cuda"):
        assert processes_to_start(EmbedOptions(processes=2, device=device)) == (2, "cuda")
    assert processes_to_start(EmbedOptions(processes=2, backend="openvino")) == (2, "cpu")
    with pytest.raises(UsageError, match="3 processes need as many GPUs, and this machine has 2"):
        processes_to_start(EmbedOptions(processes=3))
    with pytest.raises(UsageError, match="--device cuda:1 is one for several processes"):
        processes_to_start(EmbedOptions(processes=2, device="cuda:1"))
    as_process(1, monkeypatch)
    assert processes_to_start(EmbedOptions()) is None  # a program of somebody else's
    with pytest.raises(UsageError, match="starts its processes itself"):
        processes_to_start(EmbedOptions(processes=2))
