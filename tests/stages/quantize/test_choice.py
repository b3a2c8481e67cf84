"""A catalogue that was extended is coded with the codebooks that it has."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from recording import Recorder
from safetensors.numpy import load_file

from stages.artifacts import names
from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.items import EXTENDED, items_schema
from stages.artifacts.lineage import Lineage, read_lineage
from stages.artifacts.tables import write_table
from stages.artifacts.vectors import codebooks_of, read_codes
from stages.quantize import QuantizeOptions, quantize
from stages.quantize.coding import ENOUGH_NEW

Matrix = npt.NDArray[np.float32]
Vectors = Callable[..., Matrix]
MakeEmbeddings = Callable[..., Path]
SMALL: dict[str, Any] = {"codebook_size": 16, "text_dim": 16}
OLD, NEW = 500, 150


@pytest.fixture
def extend(make_embeddings: MakeEmbeddings) -> Callable[..., Path]:
    """Give the work directory these views, in a catalogue that says it was extended."""

    def make(views: dict[str, Matrix], *, extended: bool = True) -> Path:
        workdir = make_embeddings(views)
        count = len(next(iter(views.values())))
        table = pa.table(
            {"item": pa.array(range(1, count + 1), pa.int32()), "item_id": [f"i{n}" for n in range(count)]}
        )
        facts = {EXTENDED: {"before": OLD, "kept": OLD, "vanished": 0, "new": count - OLD}} if extended else {}
        write_table(workdir / names.ITEMS, table.cast(items_schema([])), Lineage("preprocess", {}, {}, facts))
        lineage = Lineage("embed", {}, {})
        embeddings = pa.parquet.read_table(workdir / names.EMBEDDINGS).replace_schema_metadata(None)
        write_table(workdir / names.EMBEDDINGS, embeddings, lineage)
        return workdir

    return make


@pytest.fixture
def fitted(make_embeddings: MakeEmbeddings, vectors: Vectors) -> Path:
    workdir = make_embeddings({"title": vectors(OLD)}, items=None)
    quantize(QuantizeOptions(**SMALL), workdir=workdir)
    return workdir


def test_old_items_keep_their_codes(fitted: Path, extend: Callable[..., Path], vectors: Vectors) -> None:
    before, _ = read_codes(fitted / names.CODES)
    tensors, codebooks = load_file(fitted / names.QUANTIZER), codebooks_of(fitted / names.CODES)
    held_out = read_lineage(fitted / names.CODES).facts["views"][0]["held_out_error"]  # type: ignore[union-attr]
    workdir = extend({"title": np.concatenate([vectors(OLD), vectors(NEW, seed=3)])})
    told = Recorder()
    result = quantize(QuantizeOptions(**SMALL), workdir=workdir, reporter=told)
    after, _ = read_codes(workdir / names.CODES)
    np.testing.assert_array_equal(after[:OLD], before)
    assert codebooks_of(workdir / names.CODES) == codebooks
    assert all(np.array_equal(tensor, tensors[name]) for name, tensor in load_file(workdir / names.QUANTIZER).items())
    assert any("the catalogue was extended" in info and "--refit" in info for info in told.infos)
    [kept] = result.facts["kept_codebooks"]
    assert (kept["view"], kept["new_items"], kept["held_out_error"]) == ("title", NEW, held_out)
    assert kept["error_of_old"] < kept["error_of_new"] < 1.2 * held_out
    assert result.warnings == ()
    assert quantize(QuantizeOptions(**SMALL), workdir=workdir).skipped
    # And the next night.
    extend({"title": np.concatenate([vectors(OLD), vectors(NEW, seed=3), vectors(1, seed=4)])})
    result = quantize(QuantizeOptions(**SMALL), workdir=workdir)
    [kept] = result.facts["kept_codebooks"]
    assert (result.facts["fitted_items"], kept["new_items"], kept["held_out_error"]) == (OLD, NEW + 1, held_out)


def test_texts_of_another_kind_are_warned_of(fitted: Path, extend: Callable[..., Path], vectors: Vectors) -> None:
    other = np.random.default_rng(5).normal(scale=3.0, size=(NEW, 32)).astype(np.float32)
    workdir = extend({"title": np.concatenate([vectors(OLD), other])})
    [warning] = quantize(QuantizeOptions(**SMALL), workdir=workdir).warnings
    assert "the codebooks no longer fit" in warning
    assert "150 new texts" in warning
    few = extend({"title": np.concatenate([vectors(OLD), other[: ENOUGH_NEW - 1]])})
    assert quantize(QuantizeOptions(**SMALL), workdir=few).warnings == ()


def test_refit(fitted: Path, extend: Callable[..., Path], vectors: Vectors, tmp_path: Path) -> None:
    grown = np.concatenate([vectors(OLD), vectors(NEW, seed=3)])
    workdir = extend({"title": grown})
    before = codebooks_of(fitted / names.CODES)
    result = quantize(QuantizeOptions(**SMALL, refit=True), workdir=workdir)
    assert "kept_codebooks" not in result.facts
    assert codebooks_of(workdir / names.CODES) != before
    # The new ones are then those that are kept.
    result = quantize(QuantizeOptions(**SMALL), workdir=workdir)
    assert result.facts["kept_codebooks"][0]["new_items"] == 0
    assert result.facts["kept_codebooks"][0]["error_of_new"] is None


def test_a_catalogue_that_was_not_extended_gets_new_ones(fitted, extend, vectors: Vectors) -> None:
    before = codebooks_of(fitted / names.CODES)
    workdir = extend({"title": vectors(OLD + NEW, seed=8)}, extended=False)
    quantize(QuantizeOptions(**SMALL), workdir=workdir)
    fresh = codebooks_of(workdir / names.CODES)
    assert fresh != before
    extend({"title": vectors(OLD, seed=9)}, extended=False)
    result = quantize(QuantizeOptions(**SMALL, refit=False), workdir=workdir)
    assert codebooks_of(workdir / names.CODES) == fresh
    assert "kept_codebooks" not in result.facts  # nobody knows which of these items are old


@pytest.mark.parametrize("change", ["options", "views", "damage"])
def test_codebooks_that_do_not_fit_any_more_are_made_anew_and_said(
    fitted, extend, vectors: Vectors, change: str
) -> None:
    views = {"title": np.concatenate([vectors(OLD), vectors(NEW, seed=3)])}
    if change == "views":
        views["brand"] = vectors(OLD + NEW, seed=5)
    workdir = extend(views)
    if change == "damage":
        (workdir / names.QUANTIZER).write_bytes(b"nothing")
    options = QuantizeOptions(**{**SMALL, **({"levels": 8} if change == "options" else {})})
    before = codebooks_of(fitted / names.CODES)
    warnings = quantize(options, workdir=workdir).warnings
    assert any("new codebooks are fitted, and models have to be trained again" in warning for warning in warnings)
    assert codebooks_of(workdir / names.CODES) != before


def test_what_does_not_go_together(fitted: Path, make_embeddings: MakeEmbeddings, vectors: Vectors) -> None:
    for refit in (True, False):
        with pytest.raises(UsageError, match="--codebooks names the codebooks"):
            QuantizeOptions(codebooks=fitted / names.QUANTIZER, refit=refit)
    empty = make_embeddings({"title": vectors(50)}, "empty")
    with pytest.raises(DataError, match=r"quantizer\.safetensors does not exist"):
        quantize(QuantizeOptions(refit=False), workdir=empty)
