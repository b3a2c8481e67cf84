import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file, save_file

from stages.artifacts import names
from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.lineage import KEY, read_lineage
from stages.artifacts.vectors import read_codes
from stages.quantize import QuantizeOptions, quantize

Matrix = npt.NDArray[np.float32]
Vectors = Callable[..., Matrix]
MakeEmbeddings = Callable[..., Path]

SMALL = {"codebook_size": 16, "text_dim": 16, "levels": 4}


def outputs(workdir: Path) -> tuple[bytes, bytes]:
    return (workdir / names.CODES).read_bytes(), (workdir / names.QUANTIZER).read_bytes()


@pytest.mark.parametrize("method", ["pq", "rq"])
def test_codes_tell_the_vectors_apart(make_embeddings: MakeEmbeddings, vectors: Vectors, method: str) -> None:
    workdir = make_embeddings({"title": vectors(1000), "brand": vectors(1000, 24, 1)})
    result = quantize(QuantizeOptions(method=method, **SMALL), workdir=workdir)
    codes, size = read_codes(workdir / names.CODES)
    assert (codes.shape, size) == ((1000, 8), 16)
    facts = result.facts
    assert [view["view"] for view in facts["views"]] == ["title", "brand"]
    assert [(p["view"], p["level"]) for p in facts["positions"]] == [
        (view, level) for view in ("title", "brand") for level in (1, 2, 3, 4)
    ]
    for view in facts["views"]:
        assert 0 < view["relative_error"] < 0.9
        assert 0 < view["held_out_error"] < 0.9
        assert view["dimension"] == 16
        assert 0 < view["explained_variance"] <= 1
    assert facts["codes_per_item"] == 8
    assert facts["unique_share"] == pytest.approx(
        (np.unique(codes, axis=0, return_counts=True)[1] == 1).sum() / 1000, abs=1e-6
    )
    assert facts["largest_collision"] == np.unique(codes, axis=0, return_counts=True)[1].max()
    for position, facts_there in enumerate(facts["positions"]):
        assert facts_there["used"] == len(np.unique(codes[:, position]))
    assert read_lineage(workdir / names.CODES) == read_lineage(workdir / names.QUANTIZER)


def test_the_held_out_error_shows_what_the_fitted_one_hides(make_embeddings: MakeEmbeddings) -> None:
    """Codebooks nearly as large as the catalogue learn noise by heart; items they have not seen gain nothing."""
    noise = np.random.default_rng(0).standard_normal((400, 16)).astype(np.float32)
    result = quantize(
        QuantizeOptions(codebook_size=256, text_dim=16, levels=1), workdir=make_embeddings({"title": noise})
    )
    view = result.facts["views"][0]
    assert view["relative_error"] < 0.4
    assert view["held_out_error"] > view["relative_error"] + 0.2


@pytest.mark.parametrize("method", ["pq", "rq"])
def test_the_error_is_that_of_the_saved_tensors(make_embeddings: MakeEmbeddings, vectors: Vectors, method: str) -> None:
    """Rebuilds the whitened vectors from the file alone, as another tool would."""
    matrix = vectors(600)
    workdir = make_embeddings({"title": matrix})
    result = quantize(QuantizeOptions(method=method, **SMALL), workdir=workdir)
    tensors = load_file(workdir / names.QUANTIZER)
    codes, _ = read_codes(workdir / names.CODES)
    whitened = (matrix - tensors["title/mean"]) @ tensors["title/projection"]
    parts = [book[codes[:, level]] for level, book in enumerate(tensors["title/codebooks"])]
    rebuilt = np.concatenate(parts, axis=1) if method == "pq" else np.sum(parts, axis=0)
    error = np.square(whitened - rebuilt).sum() / np.square(whitened).sum()
    assert result.facts["views"][0]["relative_error"] == pytest.approx(error, abs=1e-4)


@pytest.mark.parametrize("method", ["pq", "rq"])
def test_old_codebooks_give_the_same_codes_and_code_new_items(
    make_embeddings: MakeEmbeddings, vectors: Vectors, method: str
) -> None:
    views = {"title": vectors(500), "brand": vectors(500, 24, 1)}
    views["brand"][7] = np.nan
    first = make_embeddings(views, "first")
    quantize(QuantizeOptions(method=method, **SMALL), workdir=first)
    # The second catalogue holds the first one's items in another order, behind new ones, and views swapped.
    order = np.random.default_rng(0).permutation(500)
    fresh = {"brand": vectors(30, 24, 5), "title": vectors(30, 32, 6)}
    second = make_embeddings(
        {view: np.concatenate([fresh[view], views[view][order]]) for view in fresh}, "second", "sha256:new"
    )
    result = quantize(QuantizeOptions(codebooks=first / names.QUANTIZER), workdir=second)
    codes, _ = read_codes(first / names.CODES)
    again, size = read_codes(second / names.CODES)
    np.testing.assert_array_equal(again[30:], codes[order])
    assert size == 16
    for name, tensor in load_file(first / names.QUANTIZER).items():
        np.testing.assert_array_equal(load_file(second / names.QUANTIZER)[name], tensor)
    lineage = read_lineage(second / names.CODES)
    assert lineage is not None
    assert set(lineage.inputs) == {names.EMBEDDINGS, names.ITEMS, f"raw:{names.QUANTIZER}"}
    assert lineage.inputs[names.ITEMS] == "sha256:new"
    assert lineage.options["method"] == method
    fitted = read_lineage(first / names.CODES)
    assert fitted is not None
    held_out = {view["view"]: view["held_out_error"] for view in fitted.facts["views"]}
    assert {view["view"]: view["held_out_error"] for view in result.facts["views"]} == held_out
    assert result.facts["fitted_items"] == 500
    assert quantize(QuantizeOptions(codebooks=first / names.QUANTIZER), workdir=second).skipped


def test_codebooks_of_the_work_directory_itself(make_embeddings: MakeEmbeddings, vectors: Vectors) -> None:
    matrix = vectors(300)
    workdir = make_embeddings({"title": matrix})
    quantize(QuantizeOptions(**SMALL), workdir=workdir)
    before, _ = read_codes(workdir / names.CODES)
    make_embeddings({"title": np.concatenate([matrix, vectors(10, seed=3)])})
    own = workdir / names.QUANTIZER
    assert not quantize(QuantizeOptions(codebooks=own), workdir=workdir).skipped
    after, _ = read_codes(workdir / names.CODES)
    np.testing.assert_array_equal(after[:300], before)
    assert quantize(QuantizeOptions(codebooks=own), workdir=workdir).skipped


def test_same_bytes_again_in_another_process_and_with_other_threads(
    make_embeddings: MakeEmbeddings, vectors: Vectors
) -> None:
    views = {"title": vectors(3000), "brand": vectors(3000, 24, 1)}
    workdir = make_embeddings(views)
    quantize(QuantizeOptions(**SMALL), workdir=workdir)
    expected = outputs(workdir)
    assert quantize(QuantizeOptions(**SMALL), workdir=workdir).skipped
    assert not quantize(QuantizeOptions(**SMALL), workdir=workdir, force=True).skipped
    assert outputs(workdir) == expected
    script = (
        "import sys, json; from stages.quantize import QuantizeOptions, quantize; "
        "quantize(QuantizeOptions(**json.loads(sys.argv[2])), workdir=sys.argv[1], force=True)"
    )
    for threads in ("1", "2"):
        environment = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "PATH": ""}
        subprocess.run([sys.executable, "-c", script, str(workdir), json.dumps(SMALL)], env=environment, check=True)
        assert outputs(workdir) == expected
    quantize(QuantizeOptions(**SMALL, seed=1), workdir=workdir)
    assert outputs(workdir) != expected


def test_items_without_a_view_share_the_codes_of_its_mean(make_embeddings: MakeEmbeddings, vectors: Vectors) -> None:
    brand = vectors(400, 24, 1)
    brand[::4] = np.nan
    workdir = make_embeddings({"title": vectors(400), "brand": brand})
    result = quantize(QuantizeOptions(**SMALL), workdir=workdir)
    codes, _ = read_codes(workdir / names.CODES)
    missing = codes[::4, 4:]
    assert (missing == missing[0]).all()
    tensors = load_file(workdir / names.QUANTIZER)
    zero = [int(np.square(book).sum(axis=1).argmin()) for book in tensors["brand/codebooks"]]
    np.testing.assert_array_equal(missing[0], zero)
    np.testing.assert_allclose(tensors["brand/mean"], np.nanmean(brand, axis=0), atol=1e-5)
    assert result.facts["views"][1]["items"] == 300
    assert all(p["used"] == len(np.unique(codes[np.arange(400) % 4 > 0, 3 + p["level"]]))
               for p in result.facts["positions"] if p["view"] == "brand")  # fmt: skip


@pytest.mark.parametrize("size", [2, 3, 10, 300])
def test_any_codebook_size(make_embeddings: MakeEmbeddings, vectors: Vectors, size: int) -> None:
    workdir = make_embeddings({"title": vectors(300)})
    result = quantize(QuantizeOptions(codebook_size=size, text_dim=8, levels=2), workdir=workdir)
    codes, read_size = read_codes(workdir / names.CODES)
    assert read_size == size
    assert codes.max() < size
    if size == 300:  # a centroid for every item
        assert result.facts["views"][0]["relative_error"] < 1e-6
        assert result.facts["views"][0]["held_out_error"] is None


def test_few_items_are_warned_of_once_for_all_views(
    make_embeddings: MakeEmbeddings, vectors: Vectors, capfd: pytest.CaptureFixture[str]
) -> None:
    workdir = make_embeddings({"title": vectors(300), "text": vectors(300, 24, 1)})
    result = quantize(QuantizeOptions(text_dim=16), workdir=workdir)
    [warning] = result.warnings
    assert "few items to fit 256 centroids to, where 9,984 are wanted: 'title' (300), 'text' (300)" in warning
    assert "training points" not in capfd.readouterr().err
    assert not quantize(QuantizeOptions(codebook_size=4, text_dim=16), workdir=workdir).warnings


@pytest.mark.parametrize("method", ["pq", "rq"])
@pytest.mark.parametrize("brands", [2, 6, 16])
def test_few_distinct_vectors_have_a_code_each(
    make_embeddings: MakeEmbeddings, vectors: Vectors, method: str, brands: int
) -> None:
    """Six brands need no smaller --codebook-size, which would be that of the titles as well."""
    of = np.random.default_rng(0).integers(0, brands, 1000)
    views = {"title": vectors(1000), "brand": vectors(brands, 24)[of]}
    views["brand"][5] = np.nan
    workdir = make_embeddings(views)
    result = quantize(QuantizeOptions(method=method, **SMALL), workdir=workdir)
    assert not result.warnings
    title, brand = result.facts["views"]
    assert (title["distinct_vectors"], brand["distinct_vectors"]) == (1000, brands)
    assert brand["relative_error"] < 1e-6 < title["relative_error"]
    assert brand["held_out_error"] is None
    codes, size = read_codes(workdir / names.CODES)
    assert size == result.facts["codebook_size"] == 16  # of the titles
    assert load_file(workdir / names.QUANTIZER)["brand/codebooks"].shape[:2] == (4, brands)
    has = np.arange(1000) != 5
    pairs = np.unique(np.column_stack([of, codes[:, 4:]])[has], axis=0)
    assert len(pairs) == len(np.unique(codes[has, 4:], axis=0)) == brands  # each brand has codes of its own
    saved = quantize(QuantizeOptions(codebooks=workdir / names.QUANTIZER), workdir=workdir, force=True)
    np.testing.assert_array_equal(read_codes(workdir / names.CODES)[0], codes)
    assert saved.facts["codebook_size"] == 16


def test_a_catalogue_smaller_than_the_codebook(make_embeddings: MakeEmbeddings, vectors: Vectors) -> None:
    workdir = make_embeddings({"title": vectors(40)})
    result = quantize(QuantizeOptions(text_dim=16), workdir=workdir)
    codes, size = read_codes(workdir / names.CODES)
    assert (size, result.facts["codebook_size"], result.facts["unique_share"]) == (40, 40, 1.0)
    assert codes.max() < 40
    assert quantize(QuantizeOptions(text_dim=16), workdir=workdir).skipped


@pytest.mark.parametrize(("method", "kept"), [("pq", 4), ("rq", 5)])
def test_low_rank_keeps_fewer_dimensions_and_says_so(
    make_embeddings: MakeEmbeddings, vectors: Vectors, method: str, kept: int
) -> None:
    flat = vectors(400, 5) @ np.random.default_rng(0).standard_normal((5, 30)).astype(np.float32)
    workdir = make_embeddings({"title": flat})
    result = quantize(QuantizeOptions(method=method, **SMALL), workdir=workdir)
    assert result.facts["views"][0]["dimension"] == kept
    assert any(f"whitened to {kept} dimensions instead of 16" in warning for warning in result.warnings)


def test_constant_vectors_are_refused(make_embeddings: MakeEmbeddings, vectors: Vectors) -> None:
    workdir = make_embeddings({"title": np.repeat(vectors(1), 400, axis=0)})
    with pytest.raises(DataError, match="'title' vary in 0 directions"):
        quantize(QuantizeOptions(**SMALL), workdir=workdir)
    assert not (workdir / names.CODES).exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"levels": 6}, r"--levels 6 does not divide --text-dim 128.*\n.*--text-dim 126 or 132, or --levels 4 or 8"),
        ({"levels": 0}, "--levels must be at least 1, is 0"),
        ({"levels": 200}, r"--text-dim 200, or --levels 64 or 128"),
        ({"text_dim": 0}, "--text-dim must be at least 1, is 0"),
        ({"codebook_size": 1}, "--codebook-size must be at least 2 and at most 65536, is 1"),
        ({"codebook_size": 65_537}, "--codebook-size must be .* at most 65536, is 65537"),
        ({"method": "vq"}, "--method 'vq' is unknown.*\n.*pq, rq"),
        ({"seed": -1}, "--seed must be at least 0, is -1"),
    ],
)
def test_options_that_do_not_fit(
    make_embeddings: MakeEmbeddings, vectors: Vectors, options: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        quantize(QuantizeOptions(**options), workdir=make_embeddings({"title": vectors(300)}))  # type: ignore[arg-type]


def test_levels_need_not_divide_for_residual_codes(make_embeddings: MakeEmbeddings, vectors: Vectors) -> None:
    result = quantize(
        QuantizeOptions(method="rq", levels=3, text_dim=16, codebook_size=8),
        workdir=make_embeddings({"title": vectors(300)}),
    )
    assert result.facts["codes_per_item"] == 3


@pytest.mark.parametrize("changed", [{"levels": 2}, {"codebook_size": 8}, {"text_dim": 8}, {"method": "rq"}])
def test_an_option_makes_it_stale(
    make_embeddings: MakeEmbeddings, vectors: Vectors, changed: dict[str, object]
) -> None:
    workdir = make_embeddings({"title": vectors(300)})
    quantize(QuantizeOptions(**SMALL), workdir=workdir)
    assert not quantize(QuantizeOptions(**{**SMALL, **changed}), workdir=workdir).skipped  # type: ignore[arg-type]


def test_other_embeddings_or_a_missing_output_make_it_stale(make_embeddings: MakeEmbeddings, vectors: Vectors) -> None:
    workdir = make_embeddings({"title": vectors(300)})
    quantize(QuantizeOptions(**SMALL), workdir=workdir)
    (workdir / names.QUANTIZER).unlink()
    assert not quantize(QuantizeOptions(**SMALL), workdir=workdir).skipped
    make_embeddings({"title": vectors(300, seed=8)})
    assert not quantize(QuantizeOptions(**SMALL), workdir=workdir).skipped


def test_embeddings_of_another_catalogue_are_refused(make_embeddings: MakeEmbeddings, vectors: Vectors) -> None:
    workdir = make_embeddings({"title": vectors(300)})
    pq.write_table(pa.table({"item": pa.array([1], pa.int32()), "item_id": ["x"]}), workdir / names.ITEMS)
    with pytest.raises(DataError, match=r"another items\.parquet"):
        quantize(QuantizeOptions(**SMALL), workdir=workdir)


def test_embeddings_of_another_tool_are_accepted(make_embeddings: MakeEmbeddings, vectors: Vectors) -> None:
    workdir = make_embeddings({"title": vectors(300)})
    path = workdir / names.EMBEDDINGS
    pq.write_table(pq.read_table(path).replace_schema_metadata(None), path)
    quantize(QuantizeOptions(**SMALL), workdir=workdir)
    lineage = read_lineage(workdir / names.CODES)
    assert lineage is not None
    assert set(lineage.inputs) == {names.EMBEDDINGS}


class TestCodebooksThatDoNotFit:
    @pytest.fixture
    def workdir(self, make_embeddings: MakeEmbeddings, vectors: Vectors) -> Path:
        workdir = make_embeddings({"title": vectors(300)})
        quantize(QuantizeOptions(**SMALL), workdir=workdir)
        return workdir

    def test_other_views(self, workdir: Path, make_embeddings: MakeEmbeddings, vectors: Vectors) -> None:
        other = make_embeddings({"title": vectors(50), "brand": vectors(50)}, "other")
        with pytest.raises(DataError, match=r"quantizer\.safetensors has codebooks for title; .* has title, brand"):
            quantize(QuantizeOptions(codebooks=workdir / names.QUANTIZER), workdir=other)

    def test_other_dimensions(self, workdir: Path, make_embeddings: MakeEmbeddings, vectors: Vectors) -> None:
        other = make_embeddings({"title": vectors(50, 24)}, "other")
        with pytest.raises(DataError, match=r"vectors of 32 dimensions; .* has 24"):
            quantize(QuantizeOptions(codebooks=workdir / names.QUANTIZER), workdir=other)

    def test_an_option_against_the_file(self, workdir: Path) -> None:
        with pytest.raises(UsageError, match=r"--levels 8: the codebooks .* were made with 4"):
            quantize(QuantizeOptions(codebooks=workdir / names.QUANTIZER, levels=8), workdir=workdir)

    def test_missing_file(self, workdir: Path) -> None:
        with pytest.raises(DataError, match="does not exist"):
            quantize(QuantizeOptions(codebooks=workdir / "nothing.safetensors"), workdir=workdir)

    @pytest.mark.parametrize("damage", ["truncate", "garbage", "foreign", "shape", "nan", "tensor"])
    def test_damaged_file(self, workdir: Path, tmp_path: Path, damage: str) -> None:
        path = tmp_path / "old.safetensors"
        content = (workdir / names.QUANTIZER).read_bytes()
        tensors = load_file(workdir / names.QUANTIZER)
        lineage = read_lineage(workdir / names.QUANTIZER)
        assert lineage is not None
        metadata = {KEY: lineage.to_json()}
        if damage == "truncate":
            path.write_bytes(content[:-100])
        elif damage == "garbage":
            path.write_bytes(b"\xff" * 100)
        elif damage == "foreign":
            save_file(tensors, path)
        else:
            if damage == "shape":
                tensors["title/projection"] = np.ascontiguousarray(tensors["title/projection"][:, :-1])
            elif damage == "nan":
                tensors["title/codebooks"][0, 0, 0] = np.nan
            else:
                del tensors["title/codebooks"]
            save_file(tensors, path, metadata)
        with pytest.raises(DataError, match=r"old\.safetensors"):
            quantize(QuantizeOptions(codebooks=path), workdir=workdir)


def test_a_broken_embeddings_file(make_embeddings: MakeEmbeddings, vectors: Vectors, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cocorec embed"):
        quantize(workdir=tmp_path)
    workdir = make_embeddings({"title": vectors(300)})
    content = bytearray((workdir / names.EMBEDDINGS).read_bytes())
    content[20_000] ^= 1
    (workdir / names.EMBEDDINGS).write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        quantize(QuantizeOptions(**SMALL), workdir=workdir)


def test_a_cluster_gives_the_same_bytes(ray_cluster: Any, make_embeddings: MakeEmbeddings, vectors: Vectors) -> None:
    written = []
    for engine in ("local", "ray"):
        title, brand = vectors(3_000, 16), vectors(3_000, 12, seed=1)
        brand[:20] = np.nan
        workdir = make_embeddings({"title": title, "brand": brand}, engine)
        options = QuantizeOptions(levels=2, codebook_size=16, text_dim=8, engine=engine)
        result = quantize(options, workdir=workdir)
        written.append([(workdir / name).read_bytes() for name in (names.CODES, names.QUANTIZER)] + [result.facts])
    assert written[0] == written[1]
