"""The quantize stage: ``embeddings.parquet`` to ``codes.parquet`` and ``quantizer.safetensors``."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stages.artifacts.items import was_extended
from stages.artifacts.lineage import read_lineage
from stages.artifacts.names import CODES, EMBEDDINGS, ITEMS, QUANTIZER, Columns
from stages.artifacts.tables import write_table
from stages.artifacts.vectors import codes_schema, embedding_views, to_fixed_size_list
from stages.frame.cluster import cluster
from stages.frame.machine import RAY
from stages.frame.reporter import Reporter
from stages.frame.result import Result
from stages.frame.run import StageRun
from stages.frame.threads import threads
from stages.quantize.choice import choose_codebooks, require_views
from stages.quantize.coding import CatalogueCoder, Map, map_here
from stages.quantize.file import load_quantizer, quantizer_fingerprint, save_quantizer
from stages.quantize.options import QuantizeOptions

_MANY_ITEMS = 10_000


def quantize(
    options: QuantizeOptions | None = None,
    *,
    workdir: Path,
    force: bool = False,
    reporter: Reporter | None = None,
) -> Result:
    """Turn the vectors of each view into codes; write ``codes.parquet`` and ``quantizer.safetensors``.

    Each view is whitened by PCA and coded on its own, so that no code mixes two views. A view with at most
    ``codebook_size`` distinct vectors gets a code for each. An item without a view is
    coded as the view's mean, so that all such items share their codes there. Coding is a function of what
    ``quantizer.safetensors`` holds: with ``codebooks`` the same vectors get the same codes again.

    A catalogue that was extended is coded with the codebooks that the work directory has, so that old items keep their
    codes and models know what the new ones' mean; ``refit`` fits new ones.

    Args:
        options: by default all defaults.
        workdir: the work directory.
        force: run even if the codes are up to date.
        reporter: where progress and messages go.

    Raises:
        DataError: an input that is missing, broken, too small, or does not fit the codebooks.
        UsageError: an option that does not fit the codebooks.
    """
    options = options or QuantizeOptions()
    run = StageRun("quantize", options, workdir, reporter)
    embeddings = run.path(EMBEDDINGS)
    run.read(EMBEDDINGS)
    views = embedding_views(embeddings)
    _name_items(run)
    grown = was_extended(run.path(ITEMS))
    given, why = choose_codebooks(options, run.path(QUANTIZER), views, grown=grown)
    saved = None
    if given:
        saved = load_quantizer(given)
        options = options.of_codebooks(saved.options, given)
        run.recorded = options.recorded()
        require_views(given, saved, embeddings, views)
        run.read_raw(given.name, saved.fingerprint)
    if (done := run.fresh()) and not force:
        return done

    if why:
        (run.reporter.info if saved else run.warn)(why)
    with (
        _mapping(options, run.reporter) as do,
        threads(options.threads or (1 if _is_small(embeddings) else None)),
        run.reporter.track("quantizing", len(views), "views") as advance,
    ):
        coder = CatalogueCoder(embeddings, options, run, saved, grown=grown, do=do)
        for view in saved.views if saved else views:
            coder.add(view, views[view])
            advance(1)
    coder.tell_sizes()
    with run.measure("write"):
        lineage = run.lineage(coder.facts())
        save_quantizer(run.path(QUANTIZER), coder.quantizers, lineage)
        write_table(run.path(CODES), _codes_table(coder), lineage)
    return run.result(lineage.facts)


@contextmanager
def _mapping(options: QuantizeOptions, reporter: Reporter) -> Iterator[Map]:
    """What codes chunks of vectors: this process, or a cluster. Codebooks are fitted to samples, here."""
    if options.engine != RAY:
        yield map_here
        return
    with cluster(options.address, reporter) as shared:
        shared.check_workers([], ("faiss-cpu", "numpy"))
        yield shared.mapped


def _is_small(embeddings: Path) -> bool:
    """Whether further threads would spend more time on starting and waiting than they save."""
    return int(pq.read_metadata(embeddings).num_rows) < _MANY_ITEMS


def _name_items(run: StageRun) -> None:
    """Record also which items the embeddings are of, so that codes and items can be held against each other."""
    source = read_lineage(run.path(EMBEDDINGS))
    if source and ITEMS in source.inputs:
        run.inputs[ITEMS] = source.inputs[ITEMS]


def _codes_table(coder: CatalogueCoder) -> pa.Table:
    codes = coder.codes()
    schema = codes_schema(codes.shape[1], coder.codebook_size, quantizer_fingerprint(coder.quantizers))
    numbers = pa.array(np.arange(1, len(codes) + 1, dtype=np.int32))
    columns = {Columns.ITEM: numbers, Columns.CODES: to_fixed_size_list(codes).cast(schema.field(1).type)}
    return pa.table(columns, schema=schema)
