import hashlib
import json
import shutil

import faiss
import numpy as np
import pyarrow.parquet as pq
import pytest
from growth import grow

from stages.artifacts.atomic import write_json
from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.lineage import KEY, Lineage
from stages.artifacts.names import MODEL_WEIGHTS
from stages.export import ExportOptions, export, load_index
from stages.export.index import Index, build_index, recall, write_index
from stages.export.options import INDEXES


@pytest.fixture(scope="module")
def vectors():
    """3,000 of length 1 in groups, as those of items are."""
    rng = np.random.default_rng(0)
    found = rng.normal(size=(60, 16))[rng.integers(60, size=3_000)] + 0.4 * rng.normal(size=(3_000, 16))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize(("kind", "least"), [*zip(INDEXES, (1.0, 0.99, 0.3), strict=True)])
def test_each_kind_is_read_by_faiss_alone_and_finds(vectors, kind, least, tmp_path):
    made, _ = build_index(vectors, kind)
    again, _ = build_index(vectors, kind)
    write_index(made, tmp_path / "a.faiss")
    write_index(again, tmp_path / "b.faiss")
    assert (tmp_path / "a.faiss").read_bytes() == (tmp_path / "b.faiss").read_bytes()
    read = faiss.read_index(str(tmp_path / "a.faiss"))
    assert (read.ntotal, read.d, read.metric_type) == (3_000, 16, faiss.METRIC_INNER_PRODUCT)
    scores, numbers = read.search(vectors[:200], 10)
    assert numbers.min() >= 1 and numbers.max() <= 3_000
    if kind != "ivf-pq":  # which does not keep the vectors themselves
        assert (numbers[:, 0] == np.arange(1, 201)).mean() > 0.95
        np.testing.assert_allclose(scores[:, 0], 1, atol=1e-5)
    # Against exact search done by hand.
    exact = np.argsort(-(vectors[:200] @ vectors.T), axis=1)[:, :10] + 1
    share = np.mean([len({*a} & {*b}) / 10 for a, b in zip(numbers.tolist(), exact.tolist(), strict=True)])
    told = recall(Index(kind, 3_000, 16, read), vectors, vectors[:200], 10)
    assert told == pytest.approx(share, abs=0.005)
    assert told >= least


@pytest.mark.parametrize("kind", INDEXES)
@pytest.mark.parametrize("n", [1, 2, 50])
def test_small_catalogues(vectors, kind, n):
    made, _ = build_index(vectors[:n], kind)
    numbers, _ = Index(kind, n, 16, made).search(vectors[:3], n)
    assert set(numbers[0].tolist()) <= {*range(n + 1)}
    assert numbers.shape == (3, n) and numbers.any()


def test_a_loaded_index_gives_the_exact_items(exported_once):
    index = load_index(exported_once / "export", workdir=exported_once)
    assert (index.kind, index.items, index.dim) == ("flat", 60, 16)
    items = np.stack(pq.read_table(exported_once / "export" / "item_vectors.parquet")["vector"].to_numpy())
    users = np.stack(pq.read_table(exported_once / "export" / "user_vectors.parquet")["vector"].to_numpy())
    numbers, scores = index.search(users, 5)
    np.testing.assert_allclose(scores, -np.sort(-(users @ items.T), axis=1)[:, :5], atol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(users @ items.T, numbers.astype(int) - 1, 1), scores, atol=1e-6)
    with pytest.raises(UsageError, match="vectors of 16 dimensions"):
        index.search(users[:, :8], 5)
    with pytest.raises(UsageError, match="from 1 to 60"):
        index.search(users, 61)


def _list_as(folder, content):
    """Put a file in the place of the index and let ``export.json`` name it, as a careful forger does."""
    (folder / "index.faiss").write_bytes(content)
    manifest = json.loads((folder / "export.json").read_text())
    manifest["files"]["index.faiss"]["sha256"] = hashlib.sha256(content).hexdigest()
    del manifest[KEY]["digest"], manifest[KEY]["digest_of"]
    (folder / "export.json").write_text(json.dumps(manifest))


def _half(folder):
    content = (folder / "index.faiss").read_bytes()
    (folder / "index.faiss").write_bytes(content[: len(content) // 2])


def _foreign(folder):
    faiss.write_index(faiss.IndexFlatIP(16), str(folder / "index.faiss"))


def _other_size(folder):
    index = faiss.IndexFlatIP(8)
    index.add(np.ones((60, 8), np.float32))
    _list_as(folder, faiss.serialize_index(index).tobytes())


def _other_measure(folder):
    index = faiss.IndexFlatL2(16)
    index.add(np.ones((60, 16), np.float32))
    _list_as(folder, faiss.serialize_index(index).tobytes())


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (_half, r"index\.faiss is not the file that .*export\.json describes: half-written, damaged or replaced"),
        (_foreign, "half-written, damaged or replaced"),
        (lambda folder: (folder / "index.faiss").unlink(), r"index\.faiss does not exist"),
        (lambda folder: (folder / "export.json").unlink(), r"export\.json does not exist"),
        (lambda folder: (folder / "export.json").write_text('{"files": {}}'), "not the description of an export"),
        (lambda folder: (folder / "export.json").write_text("[1]"), "not the description of an export"),
        (
            lambda folder: write_json(folder / "export.json", {"files": 1, KEY: Lineage("export", {}, {}).metadata()}),
            "not the description of an export",
        ),
        (lambda folder: _list_as(folder, b"no index"), r"no index that faiss .* reads"),
        (lambda folder: _list_as(folder, b""), r"no index that faiss .* reads"),
        (_other_size, r"60 vectors of 8 dimensions, .*export\.json says 60 of 16"),
        (_other_measure, "by another measure than the inner product"),
    ],
)
def test_an_index_that_is_half_written_or_foreign_is_refused(exported, fault, said):
    fault(exported / "export")
    with pytest.raises(DataError, match=said) as caught:
        load_index(exported / "export")
    assert caught.value.exit_code == 3 and "index" in caught.value.message + str(caught.value.hint) + "export"


def test_an_index_of_another_model_is_refused(exported, make_structured, tmp_path):
    weights = exported / MODEL_WEIGHTS
    content = weights.read_bytes()
    from stages.model.files import load_tensors, save_tensors

    tensors, metadata = load_tensors(weights)
    save_tensors(weights, {**tensors, "backbone.position": tensors["backbone.position"] + 1}, metadata)
    assert load_index(exported / "export").items == 60  # nobody asked which model
    with pytest.raises(DataError, match=r"made from another model/model\.safetensors"):
        load_index(exported / "export", workdir=exported)
    weights.write_bytes(content)
    assert load_index(exported / "export", workdir=exported).items == 60
    grow(exported)
    with pytest.raises(DataError, match=r"made from another (items|codes|embeddings)\.parquet"):
        load_index(exported / "export", workdir=exported)


def test_an_export_without_an_index_says_so(trained_once, tmp_path):
    workdir = shutil.copytree(trained_once, tmp_path / "w")
    export(ExportOptions(formats=("vectors",), device="cpu"), workdir=workdir)
    with pytest.raises(DataError, match=r"lists no index\.faiss: it was not exported"):
        load_index(workdir / "export")
