"""Configurations, objectives and models for tests, small and in one place."""

from typing import Any

from stages.model.catalogue import Catalogue
from stages.model.config import ModelConfig
from stages.model.masking import CodeMasking
from stages.model.objective import Objective


def config_of(model: str, items: int, **sizes: Any) -> ModelConfig:
    """A small configuration without dropout; ``sizes`` change it."""
    small: dict[str, Any] = {
        "views": 0,
        "codes": 0,
        "codebook_size": 0,
        "text_dim": 0,
        "backbone": "transformer",
        "dim": 16,
        "layers": 2,
        "heads": 2,
        "ffn_dim": 32,
        "fusion_layers": 2,
        "fusion_heads": 2,
        "fusion_ffn_dim": 32,
        "experts": 3,
        "max_history": 20,
        "dropout": 0.0,
        "fusion_dropout": 0.0,
        "learnable_mask": True,
        "repeat_bias": True,
        "text_residual": True,
        "with_ids": False,
        "new_item_rate": 0.0,
        "cooccurrence_bias": False,
        "cooccurrence_items": 5,
        "cooccurrence_partners": 100,
        "calibrate": False,
    }
    return ModelConfig(model=model, items=items, **{**small, **sizes})


def config_for(model: str, catalogue: Catalogue, **sizes: Any) -> ModelConfig:
    """The same for a catalogue, whose shape it takes."""
    shape = {
        "views": len(catalogue.views),
        "codes": 0 if catalogue.codes is None else catalogue.codes.shape[1],
        "codebook_size": catalogue.codebook_size,
        "text_dim": 0 if catalogue.texts is None else catalogue.texts.shape[2],
    }
    return config_of(model, catalogue.items, **{**shape, **sizes})


def objective_of(**options: Any) -> Objective:
    """L_rec over the whole catalogue and both masked losses; ``options`` change it."""
    usual: dict[str, Any] = {
        "temperature": 0.07,
        "negatives": 0,
        "mcm_weight": 0.4,
        "msa_weight": 0.4,
        "masking": CodeMasking(0.5),
        "mcm_softmax": "position",
        "msa_same_target": False,
    }
    return Objective(**{**usual, **options})
