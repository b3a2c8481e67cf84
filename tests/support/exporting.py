"""Trained work directories for the tests of ``export`` and of what is done with it."""

import shutil
from pathlib import Path

from whole_histories import write_histories

from stages.train import TrainOptions, train

SIZES = {"dim": 16, "ffn_dim": 32, "fusion_ffn_dim": 32, "text_dim": 8, "layers": 1, "fusion_layers": 1}
LENGTH = 6


def trained_in(folder: Path, **options: object) -> Path:
    """Train a small model in a work directory that has all inputs; returns the folder."""
    write_histories(folder)
    usual = {
        "model": "cocorec",
        "epochs": 3,
        "batch_size": 64,
        "warmup_steps": 5,
        "learning_rate": 0.01,
        "device": "cpu",
        **SIZES,
    }
    train(TrainOptions(max_history=LENGTH, **{**usual, **options}), workdir=folder)
    shutil.rmtree(folder / "model" / "checkpoint", ignore_errors=True)
    return folder
