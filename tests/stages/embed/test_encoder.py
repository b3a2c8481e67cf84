import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stages.artifacts import names
from stages.artifacts.errors import UsageError
from stages.artifacts.vectors import read_view
from stages.embed import EmbedOptions, embed
from stages.frame.reporter import Reporter

MakeItems = Callable[..., Path]
Sentences = Callable[..., list[str]]


def _with_prompts(model: Path, folder: Path, prompts: dict[str, str], default: str | None = None) -> Path:
    """A copy of a model whose configuration names these prompts."""
    shutil.copytree(model, folder)
    path = folder / "config_sentence_transformers.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "prompts": prompts, "default_prompt_name": default}))
    return folder


@pytest.mark.parametrize(
    ("prompts", "default", "options", "used", "named"),
    [
        ({"query": "red ", "document": "blue "}, None, {}, "blue ", "document"),
        ({"query": "red ", "passage": "oak "}, "query", {}, "oak ", "passage"),
        ({"query": "red "}, "query", {}, "red ", "query"),
        ({"query": "red ", "document": "blue "}, None, {"prompt_name": "query"}, "red ", "query"),
        ({"query": "red ", "document": "blue "}, None, {"prompt": "sand "}, "sand ", None),
        ({"query": "red ", "document": "blue "}, "query", {"prompt": ""}, "", None),
    ],
)
def test_the_prompt_for_documents_is_used_and_said(
    make_items: MakeItems,
    tiny_model: Path,
    tmp_path: Path,
    recorder: Reporter,
    prompts: dict[str, str],
    default: str | None,
    options: dict[str, str],
    used: str,
    named: str | None,
) -> None:
    from sentence_transformers import SentenceTransformer

    texts = ["nail box", "glue of steel", "paper"]
    workdir = make_items({"title": texts})
    model = _with_prompts(tiny_model, tmp_path / "prompted", prompts, default)
    result = embed(EmbedOptions(model=str(model), **options), workdir=workdir, reporter=recorder)
    expected = SentenceTransformer(str(tiny_model), device="cpu").encode(texts, prompt=used)
    np.testing.assert_allclose(read_view(workdir / names.EMBEDDINGS, "title")[0], expected, atol=1e-5)
    assert result.facts["prompt"] == (used or None)
    assert any(f"its prompt {named!r}, {used!r}" in said for said in recorder.infos) == (named is not None)


@pytest.mark.parametrize("normalize", [False, True])
def test_dimensions_are_cut_before_lengths_are_scaled(
    sentences: Sentences, make_items: MakeItems, tiny_model: Path, normalize: bool
) -> None:
    from sentence_transformers import SentenceTransformer

    texts = sentences(20)
    workdir = make_items({"title": texts})
    facts = embed(EmbedOptions(model=str(tiny_model), truncate_dim=8, normalize=normalize), workdir=workdir).facts
    library = SentenceTransformer(str(tiny_model), device="cpu", truncate_dim=8)
    matrix, _ = read_view(workdir / names.EMBEDDINGS, "title")
    np.testing.assert_allclose(matrix, library.encode(texts, normalize_embeddings=normalize), atol=1e-5)
    assert facts["dimension"] == matrix.shape[1] == 8


def test_a_model_without_a_limit_of_tokens(make_items: MakeItems, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "red": 1, "box": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    folder = tmp_path / "static"
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=16)]).save(str(folder))
    workdir = make_items({"title": ["red box", "box"]})
    with pytest.raises(UsageError, match=r"--max-tokens 8: static has no limit of tokens"):
        embed(EmbedOptions(model=str(folder), max_tokens=8), workdir=workdir)
    facts = embed(EmbedOptions(model=str(folder)), workdir=workdir).facts
    assert (facts["dimension"], facts["max_tokens"]) == (16, None)
