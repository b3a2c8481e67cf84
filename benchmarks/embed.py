"""Embedding: texts per second, with the same float32 weights.

    python -m benchmarks.embed
    python -m benchmarks.embed --items 4385 --runs 1 --no-warmup

This toolkit against `SentenceTransformer.encode` over the same raw columns, repeated texts included. The texts are
those of the Scientific data set where it is found (`COCOREC_TEST_DATA`, else `shared/data` beside the repository), else
invented ones with as many repetitions. Loading the model counts on both sides.
"""

import gzip
import json
import os
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.harness import Prepared, Side, compare, options, report
from stages.artifacts.items import items_schema
from stages.artifacts.lineage import Lineage
from stages.artifacts.names import EMBEDDINGS, ITEMS, Columns
from stages.artifacts.tables import open_table, write_table
from stages.artifacts.vectors import read_view

VIEWS = ("title", "categories", "brand")
DATA = Path(os.environ.get("COCOREC_TEST_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
SCIENTIFIC = DATA / "scientific" / "meta_Scientific.jsonl.gz"


def prepare_ours(workdir: Path, *, precision: str, backend: str, texts: int) -> Prepared:
    """The stage, as ``cocorec embed`` runs it, with reading and writing."""
    from stages.embed import EmbedOptions, embed

    def vectors_in(precision: str, backend: str) -> tuple[list[np.ndarray], int]:
        result = embed(
            EmbedOptions(views=VIEWS, precision=precision, backend=backend, device="cpu"), workdir=workdir, force=True
        )
        return [read_view(workdir / EMBEDDINGS, view)[0] for view in VIEWS], result.facts["texts"]

    exact = vectors_in("float32", "torch")[0] if (precision, backend) != ("float32", "torch") else None

    def run() -> tuple[float, dict[str, float]]:
        vectors, distinct = vectors_in(precision, backend)
        error = {} if exact is None else {"cosine_error": _cosine_error(vectors, exact)}
        return texts, {"checksum": _checksum(vectors), "distinct_texts": distinct, **error}

    return run


def prepare_plain(workdir: Path, *, texts: int) -> Prepared:
    """Each column given to the encoder as it is."""
    from sentence_transformers import SentenceTransformer

    from stages.artifacts.fingerprints import Fingerprints
    from stages.embed.options import DEFAULT_MODEL
    from stages.embed.source import find_source

    source = find_source(DEFAULT_MODEL, Fingerprints(workdir))
    with open_table(workdir / ITEMS) as file:
        columns = file.read(columns=list(VIEWS))

    def run() -> tuple[float, dict[str, float]]:
        model = SentenceTransformer(str(source.folder), device="cpu")
        vectors = []
        for view in VIEWS:
            column = columns[view].to_pylist()
            there = [bool(text) for text in column]
            encoded = model.encode([text for text in column if text], show_progress_bar=False)
            matrix = np.zeros((len(there), encoded.shape[1]), np.float32)
            matrix[there] = encoded
            vectors.append(matrix)
        return texts, {"checksum": _checksum(vectors)}

    return run


def _checksum(vectors: list[np.ndarray]) -> float:
    """A number that shows whether two sides made the same vectors."""
    weights = np.random.default_rng(0).normal(size=vectors[0].shape[1])
    return float(np.mean([np.abs(matrix @ weights).mean() for matrix in vectors]))


def _cosine_error(vectors: list[np.ndarray], exact: list[np.ndarray]) -> float:
    """Mean of 1 - cosine to the vectors of float32, over all texts."""
    cosines = []
    for some, others in zip(vectors, exact, strict=True):
        there = others.any(axis=1)
        some, others = some[there].astype(np.float64), others[there].astype(np.float64)
        lengths = np.linalg.norm(some, axis=1) * np.linalg.norm(others, axis=1)
        cosines.append((some * others).sum(axis=1) / lengths)
    return float(1 - np.concatenate(cosines).mean())


def write_items(folder: Path, items: int, seed: int) -> tuple[str, int]:
    """Make ``items.parquet``; where the texts come from, and how many there are."""
    if SCIENTIFIC.is_file():
        origin, rows = "Scientific", _scientific(items)
    else:
        origin, rows = "invented", _invented(items, seed)
    columns = [pa.array([row[view] or None for row in rows], pa.string()) for view in VIEWS]
    numbers = pa.array(np.arange(1, len(rows) + 1, dtype=np.int32))
    ids = pa.array([f"item-{number:07}" for number in range(len(rows))])
    schema = items_schema(list(VIEWS))
    assert schema.names[0] == Columns.ITEM
    write_table(folder / ITEMS, pa.table([numbers, ids, *columns], schema=schema), Lineage("preprocess", {}, {}))
    return origin, sum(len(column) - column.null_count for column in columns)


def _scientific(items: int) -> list[dict[str, str]]:
    with gzip.open(SCIENTIFIC, "rt", encoding="utf-8") as file:
        records = [json.loads(line) for _, line in zip(range(items), file, strict=False)]
    return [
        {
            "title": record["title"],
            "categories": " ".join(record["categories"]),
            "brand": record["details"].get("Brand", ""),
        }
        for record in records
    ]


def _invented(items: int, seed: int) -> list[dict[str, str]]:
    rng = np.random.default_rng(seed)
    words = np.array([f"{a}{b}" for a in ("ver", "mon", "tal", "quin", "sol", "bar") for b in ("de", "ta", "ix", "or")])

    def text(length: int) -> str:
        return " ".join(rng.choice(words, length))

    categories = [text(9) for _ in range(max(1, items * 770 // 4385))]
    brands = [text(2) for _ in range(max(1, items * 1561 // 4385))]
    return [
        {"title": text(14), "categories": str(rng.choice(categories)), "brand": str(rng.choice(brands))}
        for _ in range(items)
    ]


def main(args: list[str] | None = None) -> None:
    """Run the benchmark."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    parser = options(__doc__ or "", runs=3)
    parser.add_argument("--items", type=int, default=500, help="items, with three texts each")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32", help="of this toolkit")
    parser.add_argument("--backend", choices=("torch", "openvino"), default="torch", help="of this toolkit")
    arguments = parser.parse_args(args)
    exact = (arguments.precision, arguments.backend) == ("float32", "torch")
    with tempfile.TemporaryDirectory() as folder:
        workdir = Path(folder)
        origin, texts = write_items(workdir, arguments.items, arguments.seed)
        given = {"workdir": workdir, "precision": arguments.precision, "backend": arguments.backend, "texts": texts}
        sides = [
            Side("cocorec embed", prepare_ours, given),
            Side("SentenceTransformer.encode", prepare_plain, {"workdir": workdir, "texts": texts}),
        ]
        rows = compare(sides, runs=arguments.runs, threads=arguments.threads, warmup=arguments.warmup)
    report(
        f"embedding: {texts:,} texts of {arguments.items:,} items ({origin}), all-MiniLM-L6-v2, {arguments.threads} "
        "threads",
        arguments,
        rows,
        unit="texts",
        columns=("distinct_texts", "checksum", *([] if exact else ["cosine_error"])),
    )


if __name__ == "__main__":
    main()
