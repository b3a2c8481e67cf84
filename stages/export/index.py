"""The index of the item vectors for faiss: how it is made, how well it finds, and how it is loaded again.

index = load_index(Path("artifacts/export"), workdir=Path("artifacts"))
items, similarities = index.search(vectors, top=10)
"""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from stages.artifacts.atomic import require_file
from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.exported import AGAIN, MANIFEST, not_as_listed, read_manifest, require_listed
from stages.artifacts.fingerprints import Fingerprints
from stages.artifacts.lineage import RAW, read_lineage
from stages.artifacts.names import HISTORIES, INDEX
from stages.export.options import FLAT, HNSW

Matrix = npt.NDArray[np.float32]

FILE = Path(INDEX).name

_NEIGHBOURS, _CONSTRUCTION, _SEARCH = 32, 200, 128
"""Of hnsw: links of an item, and candidates held while it is built and searched."""

_TRAINING = 39
"""Vectors for each centroid that faiss asks for in training."""

_SUBVECTOR = 4
"""Dimensions of a code of ivf-pq, or fewer."""

_PROBED = 8
"""One of so many lists is searched, and two at least."""


@dataclass(frozen=True)
class Index:
    """An index of the items by the inner product of their vectors.

    Attributes:
        kind: ``flat``, ``hnsw`` or ``ivf-pq``.
        items: N.
        dim: d.
        found: faiss's own index; its ids are item numbers, from 1.
    """

    kind: str
    items: int
    dim: int
    found: Any

    def search(self, vectors: Matrix, top: int) -> tuple[npt.NDArray[np.int32], Matrix]:
        """The items whose vectors have the largest inner product with each user's, by this index.

        What the model adds to the similarity of some items, such as its repeat bias, is not in it: see
        ``export/README.md``.

        Args:
            vectors: (U, d) float32, as the user encoder gives them.
            top: k, from 1 to N.

        Returns:
            Item numbers (U, k), best first, 0 where the index found fewer, and inner products (U, k).

        Raises:
            UsageError: for vectors of another width, or a ``top`` that is not from 1 to N.
        """
        if vectors.ndim != 2 or vectors.shape[1] != self.dim:
            raise UsageError(f"vectors of shape {vectors.shape}: the index holds vectors of {self.dim} dimensions")
        if not 1 <= top <= self.items:
            raise UsageError(f"top must be from 1 to {self.items:,}, the items of the index, is {top:,}")
        scores, numbers = self.found.search(np.ascontiguousarray(vectors, np.float32), top)
        return np.where(numbers <= self.items, np.maximum(numbers, 0), 0).astype(np.int32), scores


def build_index(vectors: Matrix, kind: str) -> tuple[Any, dict[str, Any]]:
    """An index of item vectors, and with what it was made, as JSON values.

    Args:
        vectors: (N, d) of length 1.
        kind: ``flat``, ``hnsw`` or ``ivf-pq``.
    """
    n, d = vectors.shape
    numbers = np.arange(1, n + 1, dtype=np.int64)
    if kind == FLAT:
        index = faiss.IndexIDMap2(faiss.IndexFlatIP(d))
        index.add_with_ids(vectors, numbers)
        return index, {}
    if kind == HNSW:
        graph = faiss.IndexHNSWFlat(d, _NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction, graph.hnsw.efSearch = _CONSTRUCTION, _SEARCH
        index = faiss.IndexIDMap2(graph)
        with _OneThread():  # several link the items in an order of their own each time
            index.add_with_ids(vectors, numbers)
        return index, {"links": _NEIGHBOURS, "ef_construction": _CONSTRUCTION, "ef_search": _SEARCH}
    return _inverted_lists(vectors, numbers)


def _inverted_lists(vectors: Matrix, numbers: npt.NDArray[np.int64]) -> tuple[Any, dict[str, Any]]:
    """``ivf-pq`` of a size that the number of items allows."""
    n, d = vectors.shape
    lists = max(1, min(int(4 * math.sqrt(n)), n // _TRAINING))
    codes = next(count for count in range(math.ceil(d / _SUBVECTOR), d + 1) if d % count == 0)
    bits = min(8, max(1, int(math.log2(max(2, n / _TRAINING)))))
    index = faiss.IndexIVFPQ(faiss.IndexFlatIP(d), d, lists, codes, bits, faiss.METRIC_INNER_PRODUCT)
    index.nprobe = min(lists, max(2, math.ceil(lists / _PROBED)))
    index.cp.min_points_per_centroid = index.pq.cp.min_points_per_centroid = 1  # fewer are no mistake
    index.train(vectors if n > 1 else np.repeat(vectors, 2, axis=0))
    index.add_with_ids(vectors, numbers)
    return index, {"lists": lists, "probed": index.nprobe, "codes": codes, "bits": bits}


class _OneThread:
    """Faiss computes with one thread inside the block."""

    def __enter__(self) -> None:
        self._threads = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(1)

    def __exit__(self, *error: object) -> None:
        faiss.omp_set_num_threads(self._threads)


def recall(index: Index, vectors: Matrix, users: Matrix, top: int) -> float:
    """The share of the ``top`` exact best items of each user that the index finds; equal scores count as found.

    Args:
        index: of ``vectors``.
        vectors: (N, d) of the items.
        users: (U, d).
        top: K, at most N.
    """
    exact = faiss.IndexFlatIP(vectors.shape[1])
    exact.add(vectors)
    least = exact.search(users, top)[0][:, -1:]
    numbers, _ = index.search(users, top)
    scores = np.einsum("ukd,ud->uk", vectors[np.maximum(numbers, 1) - 1], users)
    found: float = ((scores >= least - 1e-6) & (numbers > 0)).mean()
    return float(found)


def write_index(index: Any, path: Path) -> None:
    """Write ``index.faiss``, for ``faiss.read_index``.

    Raises:
        OSError: when it cannot be written.
    """
    with path.open("wb") as file:  # faiss itself does not say why it could not write
        file.write(faiss.serialize_index(index).data)


def load_index(folder: Path, *, workdir: Path | None = None) -> Index:
    """Load the index of an export, and refuse one that is half-written, damaged, foreign, or of another model.

    The bytes that are checked are those that are used, so that an index which is replaced meanwhile is never taken for
    the one that was checked. Thread-safe; the index that comes back is not written to any more.

    Args:
        folder: ``export/``, or where ``cocorec export --output`` wrote.
        workdir: where given, the model and the catalogue there have to be those that were exported.

    Raises:
        DataError: naming the file and what is wrong.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    wanted = require_listed(folder, manifest, FILE)
    path = folder / FILE
    require_file(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}", AGAIN) from error
    if hashlib.sha256(content).hexdigest() != wanted:
        raise not_as_listed(path)
    try:
        found = faiss.deserialize_index(np.frombuffer(content, np.uint8))
    except (RuntimeError, ValueError, IndexError) as error:
        raise DataError(f"{path} is no index that faiss {faiss.__version__} reads: {error}", AGAIN) from error
    told = manifest.get("index")
    kind = told.get("kind") if isinstance(told, dict) else None
    index = Index(str(kind), found.ntotal, found.d, found)
    if (manifest.get("items"), manifest.get("dim")) != (index.items, index.dim):
        raise DataError(
            f"{path} holds {index.items:,} vectors of {index.dim} dimensions, {folder / MANIFEST} says "
            f"{manifest.get('items')} of {manifest.get('dim')}",
            AGAIN,
        )
    if found.metric_type != faiss.METRIC_INNER_PRODUCT:
        raise DataError(f"{path} searches by another measure than the inner product", AGAIN)
    if workdir is not None:
        require_same_model(folder, Path(workdir))
    return index


def require_same_model(folder: Path, workdir: Path) -> None:
    """Refuse an export of another model or catalogue than a work directory has now; its histories may have changed.

    Raises:
        DataError: naming the file that is another one.
    """
    lineage = read_lineage(Path(folder) / MANIFEST)
    fingerprints = Fingerprints(workdir)
    for name, expected in (lineage.inputs if lineage else {}).items():
        if name == HISTORIES or name.startswith(RAW):
            continue
        if fingerprints.like(workdir / name, expected) != expected:
            raise DataError(
                f"{Path(folder) / FILE} was made from another {name} than {workdir / name}", "Run `cocorec export`."
            )
