"""Vectors of texts that were embedded before, by a digest of the text, the model and the options that decide them."""

import os
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.artifacts.atomic import atomic_path, require_permission, temporary_prefix
from stages.artifacts.digest import OPEN_DIGEST, check_digest
from stages.artifacts.errors import AccessError, DataError, raise_shortage
from stages.artifacts.lineage import RAW, Lineage, read_lineage
from stages.artifacts.names import EMBEDDINGS, ITEMS
from stages.artifacts.vectors import embedding_views, iterate_view
from stages.embed.batches import BatchPlan
from stages.embed.chunks import ChunkStore, Matrix
from stages.embed.encoder import Encoder
from stages.embed.source import Source
from stages.embed.texts import Digests, DistinctTexts, Index

_NAME = "embedded-{}.safetensors"
_DIGESTS, _TOKENS, _VIEW, _ROW = "digests", "tokens", "view", "row"
_ITEMS, _VIEWS = "items", "views"
_DECIDING = ("max_tokens", "normalize", "prompt", "prompt_name", "truncate_dim")


@dataclass(frozen=True)
class Earlier:
    """An ``embeddings.parquet`` of which it is known which text each vector is of.

    Attributes:
        path: the file.
        dimension: of its vectors.
        views: names of its views.
        digests: (E, 2) of its distinct texts.
        tokens: (E,) of each text, before it was cut.
        view: (E,) index into ``views``: where a vector of the text stands.
        row: (E,) the row there, from 0.
    """

    path: Path
    dimension: int
    views: tuple[str, ...]
    digests: Digests
    tokens: Index
    view: Index
    row: Index

    def match(self, texts: DistinctTexts) -> Index:
        """For each text (T,) the number of the same one here, -1 for new texts."""
        both = np.concatenate([self.digests, texts.digests])
        order = np.lexsort((both[:, 1], both[:, 0]))  # stable: ours comes before its equal
        ordered = both[order]
        equal = (ordered[1:] == ordered[:-1]).all(1)
        found = np.full(len(both), -1)
        found[order[1:][equal]] = order[:-1][equal]
        return found[len(self.digests) :]


class ReusedVectors:
    """Vectors (R, D) float32 on disk, in a file without a name that goes with the process.

    Args:
        earlier: where they are read from, bit by bit as they are.
        numbers: (R,) which of its texts.
        folder: where the file lies.

    Raises:
        DataError: when the earlier file is damaged, or the disk is full.
    """

    def __init__(self, earlier: Earlier, numbers: Index, folder: Path) -> None:
        self._size = 4 * earlier.dimension
        self._dimension = earlier.dimension
        self._checks = np.zeros(len(numbers), np.uint32)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=folder, buffering=0, prefix=temporary_prefix("vectors"))  # noqa: SIM115
            for index, view in enumerate(earlier.views):
                own = np.flatnonzero(earlier.view[numbers] == index)
                own = own[np.argsort(earlier.row[numbers[own]], kind="stable")]
                self._copy(earlier, view, own, earlier.row[numbers[own]])
        except OSError as error:
            raise DataError(
                f"cannot write in {folder}: {error.strerror or error}", "Make room, or choose another --workdir."
            ) from error

    def gather(self, places: Index) -> Matrix:
        """The vectors at these places, (len(places), D)."""
        result = np.empty((len(places), self._dimension), "<f4")
        for row, place in enumerate(places.tolist()):
            read = os.preadv(self._file.fileno(), [result[row]], place * self._size)
            if read != self._size or zlib.crc32(result[row]) != self._checks[place]:
                raise DataError("vectors that were kept in a temporary file cannot be read back", "Run it again.")
        return result

    def __enter__(self) -> "ReusedVectors":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _copy(self, earlier: Earlier, view: str, places: Index, rows: Index) -> None:
        """Copy the vectors of a view at ascending rows to places of the file."""
        start = 0
        for matrix, present in iterate_view(earlier.path, view, earlier.dimension) if len(rows) else ():
            low, high = np.searchsorted(rows, [start, start + len(present)])
            for place, vector in zip(places[low:high].tolist(), matrix[rows[low:high] - start], strict=True):
                content = vector.astype("<f4").tobytes()
                self._checks[place] = zlib.crc32(content)
                os.pwrite(self._file.fileno(), content, place * self._size)
            start += len(present)


def find_earlier(workdir: Path, source: Source, encoder: Encoder, options: Mapping[str, Any]) -> Earlier | None:
    """The ``embeddings.parquet`` of a work directory, if its vectors are what would be made of the same texts now.

    That is so when model, precision and the options that decide a vector are the same. Device and back end may be
    others, as they make nothing stale; they touch rounding alone.

    Args:
        workdir: the work directory.
        source: the model.
        encoder: of this run.
        options: as recorded.

    Returns:
        ``None`` where there is no such file, or it is damaged, or nobody has kept which texts it is of.

    Raises:
        AccessError: when it may not be read, which is no reason to encode all texts again.
    """
    path = Path(workdir) / EMBEDDINGS
    require_permission(path)
    try:
        lineage = read_lineage(path)
        if lineage is None or not _same(lineage, source, encoder, options):
            return None
        kept = _kept(workdir, lineage.inputs[ITEMS])
        require_permission(kept)
        check_digest(kept)
        check_digest(path)
        views = embedding_views(path)
        tensors, told = _load(kept)
        known = tuple(told[_VIEWS].split("\n"))
        if told[_ITEMS] != lineage.inputs[ITEMS]:
            return None
    except AccessError:
        raise
    except (DataError, OSError, KeyError, ValueError) as error:
        raise_shortage(error)
        return None  # then all texts are encoded
    if set(views.values()) != {encoder.dimension} or not set(known) <= set(views):
        return None
    wide = {name: tensors[name].astype(np.int64) for name in (_TOKENS, _VIEW, _ROW)}
    return Earlier(path, encoder.dimension, known, tensors[_DIGESTS], wide[_TOKENS], wide[_VIEW], wide[_ROW])


@contextmanager
def text_vectors(
    plan: BatchPlan, store: ChunkStore, earlier: Earlier | None, match: Index, workdir: Path
) -> Iterator[Callable[[Index], Matrix]]:
    """What gives the vectors (n, D) of texts (n,) by their numbers, encoded now or earlier.

    Args:
        plan: the order of the texts in the store.
        store: vectors of those encoded now.
        earlier: where the others are, ``None`` where there are none.
        match: (T,) of :meth:`Earlier.match`.
        workdir: the work directory, for a temporary file.

    Raises:
        DataError: when the earlier file is damaged, or the disk is full.
    """
    known = np.flatnonzero(match >= 0)
    place = np.empty(len(match), np.int64)
    place[plan.order] = np.arange(len(plan.order))
    if earlier is None or not len(known):
        yield lambda numbers: store.gather(place[numbers])
        return
    place[known] = np.arange(len(known))
    with ReusedVectors(earlier, match[known], Path(workdir) / ".cocorec") as reused:

        def gather(numbers: Index) -> Matrix:
            result = np.empty((len(numbers), earlier.dimension), np.float32)
            old = match[numbers] >= 0
            result[old], result[~old] = reused.gather(place[numbers[old]]), store.gather(place[numbers[~old]])
            return result

        yield gather


def keep_digests(workdir: Path, items: str, texts: DistinctTexts, views: Sequence[str], tokens: Index) -> None:
    """Keep which texts the ``embeddings.parquet`` is of that is about to be written.

    Args:
        workdir: the work directory.
        items: fingerprint of the ``items.parquet`` it is made from, by which the two are known to belong together.
        texts: all of them.
        views: in the order of the columns.
        tokens: (T,) of each text.

    Raises:
        DataError: when the disk is full or the folder cannot be written.
    """
    from safetensors.numpy import save

    view, row = np.zeros(len(texts), np.int32), np.zeros(len(texts), np.int32)
    for index, name in reversed(list(enumerate(views))):
        rows = texts.rows[name]
        there = np.flatnonzero(rows >= 0)[::-1]  # of several places the first stays
        view[rows[there]], row[rows[there]] = index, there
    held = np.zeros(len(texts), np.bool_)
    for name in views:
        held[texts.rows[name][texts.rows[name] >= 0]] = True
    tensors: dict[str, npt.NDArray[Any]] = {
        _DIGESTS: texts.digests[held],
        _TOKENS: tokens[held].astype(np.int32),
        _VIEW: view[held],
        _ROW: row[held],
    }
    metadata = {_ITEMS: items, _VIEWS: "\n".join(views), **OPEN_DIGEST}
    with atomic_path(_kept(workdir, items)) as temporary:
        temporary.write_bytes(save(tensors, metadata=metadata))


def forget_others(workdir: Path, items: str) -> None:
    """Delete what was kept of embeddings that are no longer there."""
    kept = _kept(workdir, items)
    for path in kept.parent.glob(_NAME.format("*")):
        if path != kept:
            path.unlink(missing_ok=True)


def _same(lineage: Lineage, source: Source, encoder: Encoder, options: Mapping[str, Any]) -> bool:
    models = {fingerprint for name, fingerprint in lineage.inputs.items() if name.startswith(RAW)}
    facts = {"dimension": encoder.dimension, "precision": encoder.precision, "prompt": encoder.prompt or None}
    return (
        lineage.stage == "embed"
        and models == {source.fingerprint}
        and all(lineage.options.get(name) == options[name] for name in _DECIDING)
        and all(lineage.facts.get(name) == value for name, value in facts.items())
    )


def _kept(workdir: Path, items: str) -> Path:
    return Path(workdir) / ".cocorec" / _NAME.format(items.rpartition(":")[2][:24])


def _load(path: Path) -> tuple[dict[str, npt.NDArray[Any]], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            found = {name: file.get_tensor(name) for name in (_DIGESTS, _TOKENS, _VIEW, _ROW)}
            return found, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path} is not a readable safetensors file: {error}") from error
