"""Baselines that count: the same files in and out as for a model that learns."""

import pyarrow as pa
import torch

from stages.artifacts.names import HISTORY
from stages.artifacts.sequences import Sequences
from stages.artifacts.tables import write_table
from stages.frame.result import Result
from stages.frame.run import StageRun
from stages.metrics.accuracy import mean_metrics
from stages.model.config import ModelConfig
from stages.model.counting import Counts
from stages.model.files import save_model
from stages.model.ranking import Queries, target_ranks


def train_counts(run: StageRun, config: ModelConfig, sequences: Sequences, validation: Queries) -> Result:
    """Count, validate and save.

    Args:
        run: of the stage.
        config: sizes; its kind is one of ``COUNTING``.
        sequences: all histories, of which the training part is counted.
        validation: targets of the validation split.
    """
    model = Counts.of_training(config, sequences)
    ranks = target_ranks(model, torch.from_numpy(sequences.items.astype("int64")), validation)
    metrics = mean_metrics(ranks, (10,))
    facts = {
        "model": config.kind,
        "transitions": len(model.followers),
        "validation": {name: metrics[name] for name in ("recall@10", "ndcg@10", "mrr")},
    }
    lineage = run.lineage(facts)
    write_table(run.path(HISTORY), pa.Table.from_pylist([{"epoch": 1, "step": 0, **metrics}]), lineage)
    save_model(run.workdir, config, dict(model.state_dict()), lineage)
    return run.result(facts)
