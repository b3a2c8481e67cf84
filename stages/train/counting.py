"""Baselines that count: the same files in and out as for a model that learns."""

import time
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import torch

from stages.artifacts.lineage import Lineage
from stages.artifacts.names import HISTORY
from stages.artifacts.sequences import Sequences
from stages.artifacts.tables import write_table
from stages.frame.result import Result
from stages.metrics.accuracy import mean_metrics
from stages.model.config import ModelConfig
from stages.model.counting import Counts
from stages.model.files import save_model
from stages.model.ranking import Queries, target_ranks


def train_counts(
    workdir: Path,
    config: ModelConfig,
    sequences: Sequences,
    validation: Queries,
    lineage: Lineage,
    outputs: dict[str, Path],
    began: float,
) -> Result:
    """Count, validate and save.

    Args:
        workdir: the work directory.
        config: sizes; its kind is one of ``COUNTING``.
        sequences: all histories, of which the training part is counted.
        validation: targets of the validation split.
        lineage: of the run, without facts.
        outputs: the files that are written, by name.
        began: when the stage began, by ``time.perf_counter``.
    """
    model = Counts.of_training(config, sequences)
    ranks = target_ranks(model, torch.from_numpy(sequences.items.astype("int64")), validation)
    metrics = mean_metrics(ranks, (10,))
    facts = {
        "model": config.kind,
        "transitions": len(model.followers),
        "validation": {name: metrics[name] for name in ("recall@10", "ndcg@10", "mrr")},
    }
    lineage = replace(lineage, facts=facts)
    write_table(workdir / HISTORY, pa.Table.from_pylist([{"epoch": 1, "step": 0, **metrics}]), lineage)
    save_model(workdir, config, dict(model.state_dict()), lineage)
    return Result("train", outputs, facts, timings={"total": time.perf_counter() - began})
