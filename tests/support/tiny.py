"""A sentence encoder with random weights, small enough for tests."""

from collections.abc import Sequence
from pathlib import Path

WORDS = ("saw", "nail", "glue", "box", "red", "blue", "oak", "steel", "paper", "sand", "drill", "the", "of", "large")
"""The words that it knows, in the order of its vocabulary after five special tokens."""


def save_tiny_model(folder: Path, words: Sequence[str] = WORDS) -> Path:
    """Write a BERT of two small layers into a subfolder of ``folder``, saved as sentence-transformers does."""
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    plain = folder / "plain"
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    plain.mkdir(parents=True)
    (plain / "vocab.txt").write_text("\n".join(vocabulary))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(plain)
    BertTokenizerFast.from_pretrained(plain, model_max_length=48).save_pretrained(plain)
    saved = folder / "tiny"
    model = SentenceTransformer(str(plain), device="cpu")  # with mean pooling, as for any plain transformers model
    model.max_seq_length = 48
    model.save(str(saved), create_model_card=False)
    return saved
