"""Quantization: item vectors coded per second, and peak memory.

    python -m benchmarks.quantize
    python -m benchmarks.quantize --items 1000000 --views 5 --runs 1 --sides ours --no-warmup

The plain way is scikit-learn's PCA with whitening and faiss' product quantizer, one view after the other, on vectors
that lie in memory; the stage reads its Parquet file, checks it, measures errors on held-out items and writes the codes.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.harness import Prepared, Side, compare, options, report
from stages.artifacts.lineage import Lineage
from stages.artifacts.names import EMBEDDINGS, Columns
from stages.artifacts.tables import table_writer
from stages.artifacts.vectors import embeddings_schema, read_view, to_fixed_size_list

_ROWS = 65_536


def prepare_ours(workdir: Path, *, views: list[str], levels: int, text_dim: int) -> Prepared:
    """The stage, as ``cocorec quantize`` runs it."""
    from stages.quantize import QuantizeOptions, quantize

    def run() -> tuple[float, dict[str, float]]:
        result = quantize(QuantizeOptions(levels=levels, text_dim=text_dim), workdir=workdir, force=True)
        errors = [view["relative_error"] for view in result.facts["views"]]
        return result.facts["items"] * len(views), {"relative_error": float(np.mean(errors))}

    return run


def prepare_plain(workdir: Path, *, views: list[str], levels: int, text_dim: int) -> Prepared:
    """The libraries alone."""
    import faiss
    from sklearn.decomposition import PCA

    vectors = [read_view(workdir / EMBEDDINGS, view)[0] for view in views]

    def run() -> tuple[float, dict[str, float]]:
        errors = []
        for matrix in vectors:
            whitened = PCA(text_dim, whiten=True, random_state=0).fit_transform(matrix)
            whitened = np.ascontiguousarray(whitened, np.float32)
            quantizer: Any = faiss.ProductQuantizer(text_dim, levels, 8)
            quantizer.train(whitened)
            decoded = quantizer.decode(quantizer.compute_codes(whitened))
            errors.append(float(((whitened - decoded) ** 2).sum() / (whitened**2).sum()))
        return sum(map(len, vectors)), {"relative_error": float(np.mean(errors))}

    return run


def write_embeddings(folder: Path, *, items: int, views: list[str], width: int, seed: int) -> None:
    """Vectors in 1,000 clusters, with directions of falling variance."""
    rng = np.random.default_rng(seed)
    scale = (1 / np.sqrt(np.arange(1, width + 1))).astype(np.float32)
    centres = rng.normal(size=(1_000, width)).astype(np.float32)
    schema = embeddings_schema(dict.fromkeys(views, width))
    with table_writer(folder / EMBEDDINGS, schema, compression="none") as writer:
        for start in range(0, items, _ROWS):
            count = min(_ROWS, items - start)
            columns: dict[str, pa.Array] = {Columns.ITEM: pa.array(np.arange(start + 1, start + count + 1, dtype="i4"))}
            for view in views:
                matrix: npt.NDArray[np.float32] = centres[rng.integers(len(centres), size=count)]
                matrix = (matrix + rng.standard_normal((count, width), np.float32)) * scale
                columns[view] = to_fixed_size_list(matrix)
            writer.write(pa.table(columns))
        writer.set_lineage(Lineage("embed", {}, {}))


def main(args: list[str] | None = None) -> None:
    """Run the benchmark."""
    parser = options(__doc__ or "", runs=3)
    parser.add_argument("--items", type=int, default=100_000, help="items")
    parser.add_argument("--views", type=int, default=2, help="views of each item")
    parser.add_argument("--width", type=int, default=128, help="dimensions of a vector")
    parser.add_argument("--text-dim", type=int, default=128, help="dimensions after whitening")
    parser.add_argument("--levels", type=int, default=4, help="codes per view")
    parser.add_argument("--sides", choices=("both", "ours", "reference"), default="both", help="what to measure")
    arguments = parser.parse_args(args)
    views = [f"view{number}" for number in range(arguments.views)]
    with tempfile.TemporaryDirectory() as folder:
        workdir = Path(folder)
        write_embeddings(workdir, items=arguments.items, views=views, width=arguments.width, seed=arguments.seed)
        given = {"workdir": workdir, "views": views, "levels": arguments.levels, "text_dim": arguments.text_dim}
        sides = [Side("cocorec quantize", prepare_ours, given), Side("scikit-learn and faiss", prepare_plain, given)]
        chosen = {"both": sides, "ours": sides[:1], "reference": sides[1:]}[arguments.sides]
        rows = compare(chosen, runs=arguments.runs, threads=arguments.threads, warmup=arguments.warmup)
    report(
        f"quantization: {arguments.items:,} items, {arguments.views} views of {arguments.width} dimensions, "
        f"{arguments.levels} x 256 each, {arguments.threads} threads",
        arguments,
        rows,
        unit="vectors",
        columns=("relative_error",),
    )


if __name__ == "__main__":
    main()
