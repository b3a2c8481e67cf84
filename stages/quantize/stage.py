"""The quantize stage: ``embeddings.parquet`` to ``codes.parquet`` and ``quantizer.safetensors``."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stages.artifacts.errors import DataError
from stages.artifacts.lineage import read_lineage
from stages.artifacts.names import CODES, EMBEDDINGS, ITEMS, QUANTIZER, Columns
from stages.artifacts.tables import write_table
from stages.artifacts.vectors import codes_schema, embedding_views, to_fixed_size_list
from stages.frame.reporter import Reporter
from stages.frame.result import Result
from stages.frame.run import StageRun
from stages.frame.threads import threads
from stages.quantize.codebooks import Codes
from stages.quantize.coding import CatalogueCoder
from stages.quantize.file import SavedQuantizer, load_quantizer, save_quantizer
from stages.quantize.options import QuantizeOptions

_MANY_ITEMS = 10_000

_MANY_ITEMS = 10_000


def quantize(
    options: QuantizeOptions | None = None,
    *,
    workdir: Path,
    force: bool = False,
    reporter: Reporter | None = None,
) -> Result:
    """Turn the vectors of each view into codes; write ``codes.parquet`` and ``quantizer.safetensors``.

    Each view is whitened by PCA and coded on its own, so that no code mixes two views. An item without a view is
    coded as the view's mean, so that all such items share their codes there. Coding is a function of what
    ``quantizer.safetensors`` holds: with ``codebooks`` the same vectors get the same codes again.

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
    saved = None
    if given := options.codebooks:
        saved = load_quantizer(given)
        options = options.of_codebooks(saved.options)
        run.recorded = options.recorded()
        _check_views(given, saved, embeddings, views)
        run.read_raw(given.name, saved.fingerprint)
    if (done := run.fresh()) and not force:
        return done

    coder = CatalogueCoder(embeddings, options, run)
    with (
        threads(options.threads or (1 if _is_small(embeddings) else None)),
        run.reporter.track("quantizing", len(views), "views") as advance,
    ):
        for view in saved.views if saved else views:
            coder.add(view, views[view], saved.views[view] if saved else None)
            advance(1)
    with run.measure("write"):
        lineage = run.lineage(coder.facts())
        save_quantizer(run.path(QUANTIZER), coder.quantizers, lineage)
        write_table(run.path(CODES), _codes_table(coder.codes(), options.codebook_size), lineage)
    return run.result(lineage.facts)


def _is_small(embeddings: Path) -> bool:
    """Whether further threads would spend more time on starting and waiting than they save."""
    return int(pq.read_metadata(embeddings).num_rows) < _MANY_ITEMS


def _name_items(run: StageRun) -> None:
    """Record also which items the embeddings are of, so that codes and items can be held against each other."""
    source = read_lineage(run.path(EMBEDDINGS))
    if source and ITEMS in source.inputs:
        run.inputs[ITEMS] = source.inputs[ITEMS]


def _codes_table(codes: Codes, codebook_size: int) -> pa.Table:
    schema = codes_schema(codes.shape[1], codebook_size)
    numbers = pa.array(np.arange(1, len(codes) + 1, dtype=np.int32))
    columns = {Columns.ITEM: numbers, Columns.CODES: to_fixed_size_list(codes).cast(schema.field(1).type)}
    return pa.table(columns, schema=schema)


def _check_views(codebooks: Path, saved: SavedQuantizer, embeddings: Path, dimensions: Mapping[str, int]) -> None:
    if set(saved.views) != set(dimensions):
        raise DataError(
            f"{codebooks} has codebooks for {', '.join(saved.views)}; {embeddings} has {', '.join(dimensions)}",
            f"Run `cocorec embed --views {','.join(saved.views)}`, or make new codebooks without --codebooks.",
        )
    for view, quantizer in saved.views.items():
        expected = len(quantizer.whitening.mean)
        if expected != dimensions[view]:
            raise DataError(
                f"{codebooks}: view {view!r} was fitted to vectors of {expected} dimensions; {embeddings} has "
                f"{dimensions[view]}",
                "Embed with the model that the codebooks were made with.",
            )
