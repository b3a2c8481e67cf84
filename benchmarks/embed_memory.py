"""Embedding: peak memory by the number of distinct texts.

    python -m benchmarks.embed_memory
    python -m benchmarks.embed_memory --texts 10000000

The encoder is as small as can be, one vector of 32 numbers a word: what the stage itself holds does not depend on it,
and ten million texts through a Transformer would take days on a CPU.
"""

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.harness import Prepared, Side, compare, options, report
from stages.artifacts.items import items_schema
from stages.artifacts.lineage import Lineage
from stages.artifacts.names import ITEMS
from stages.artifacts.tables import table_writer

_WORDS = [f"{a}{b}" for a in ("ver", "mon", "tal", "quin", "sol", "bar") for b in ("de", "ta", "ix", "or")]
_DIMENSION = 32
_AT_ONCE = 50_000


def prepare_ours(workdir: Path, *, model: Path, texts: int) -> Prepared:
    """The stage, as ``cocorec embed`` runs it."""
    from stages.embed import EmbedOptions, embed

    def run() -> float:
        result = embed(EmbedOptions(model=str(model), device="cpu", batch_tokens=65_536), workdir=workdir, force=True)
        assert result.facts["texts"] == texts
        return texts

    return run


def write_items(folder: Path, texts: int, seed: int) -> None:
    """Make ``items.parquet`` with one view of that many distinct texts of about 220 bytes."""
    rng, schema = np.random.default_rng(seed), items_schema(["text"])
    words = np.array(_WORDS)
    with table_writer(folder / ITEMS, schema) as writer:
        for start in range(0, texts, _AT_ONCE):
            numbers = np.arange(start + 1, min(start + _AT_ONCE, texts) + 1, dtype=np.int32)
            drawn = words[rng.integers(len(words), size=(len(numbers), 36))].tolist()
            column = [f"{number} {' '.join(row)}" for number, row in zip(numbers, drawn, strict=True)]
            ids = [f"item-{number:09}" for number in numbers]
            writer.write(pa.table([numbers, ids, column], schema=schema))
        writer.set_lineage(Lineage("preprocess", {}, {}))


def write_model(folder: Path) -> Path:
    """Save an encoder that averages random vectors of words."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    vocabulary = {word: number for number, word in enumerate(["[UNK]", *_WORDS])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    vectors = np.random.default_rng(0).normal(size=(len(vocabulary), _DIMENSION)).astype(np.float32)
    saved = folder / "words"
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, vectors)], device="cpu").save(
        str(saved), create_model_card=False
    )
    return saved


def main(args: list[str] | None = None) -> None:
    """Run the benchmark."""
    parser = options(__doc__ or "", runs=1)
    parser.add_argument("--texts", type=int, default=100_000, help="distinct texts")
    arguments = parser.parse_args(args)
    with tempfile.TemporaryDirectory() as folder:
        workdir = Path(folder)
        write_items(workdir, arguments.texts, arguments.seed)
        given = {"workdir": workdir, "model": write_model(workdir), "texts": arguments.texts}
        rows = compare(
            [Side("cocorec embed", prepare_ours, given)], runs=arguments.runs, threads=arguments.threads, warmup=False
        )
    report(
        f"embedding: {arguments.texts:,} distinct texts of 220 bytes, a vector a word", arguments, rows, unit="texts"
    )


if __name__ == "__main__":
    main()
