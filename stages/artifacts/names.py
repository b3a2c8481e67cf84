"""Every file and column name of the contract, once."""

ITEMS = "items.parquet"
SEQUENCES = "sequences.parquet"
HISTORIES = "histories.parquet"
EMBEDDINGS = "embeddings.parquet"
CODES = "codes.parquet"
QUANTIZER = "quantizer.safetensors"
MODEL_DIR = "model"
MODEL_CONFIG = "model/config.json"
MODEL_WEIGHTS = "model/model.safetensors"
HISTORY = "model/history.parquet"
CHECKPOINT_DIR = "model/checkpoint"
METRICS = "metrics.json"
RANKS = "ranks.parquet"
BACKTEST = "backtest.parquet"
RECOMMENDATIONS = "recommendations.parquet"
REPORT = "report.html"
TUNE_DIR = "tune"
STUDY = "tune/study.jsonl"
TRIALS = "tune/trials.parquet"
MODEL_CARD = "model/README.md"
EXPORT_DIR = "export"
EXPORT = "export/export.json"
ITEM_VECTORS = "export/item_vectors.parquet"
USER_VECTORS = "export/user_vectors.parquet"
PAIR_BIAS = "export/pair_bias.parquet"
INDEX = "export/index.faiss"
TORCH_ENCODER = "export/user_encoder.pt2"
ONNX_ENCODER = "export/user_encoder.onnx"
EXPORT_README = "export/README.md"

DOWNLOAD = "download.json"
"""What was downloaded into a folder; stands beside the raw data, not in a work directory."""


class Columns:
    """Column names; view columns carry the names of the views."""

    ITEM = "item"
    ITEM_ID = "item_id"
    USER_ID = "user_id"
    ITEMS = "items"
    TIMESTAMPS = "timestamps"
    TRAIN_END = "train_end"
    VALID_END = "valid_end"
    CODES = "codes"
    TARGET = "target"
    RANK = "rank"
    TIES = "ties"
    OTHER_RANK = "other_rank"
    OTHER_TIES = "other_ties"
    HISTORY_LENGTH = "history_length"
    TARGET_COUNT = "target_count"
    ITEM_IDS = "item_ids"
    SCORES = "scores"
    FALLBACK = "fallback"
    VECTOR = "vector"
    OLDER = "older"
    PARTNER = "partner"
    BIAS = "bias"


class HistoryColumns:
    """Column names of the epochs of a training run; losses and metrics carry their own names."""

    EPOCH = "epoch"
    STEP = "step"
    LEARNING_RATE = "learning_rate"


class TrialColumns:
    """Column names of the trials of a search; options carry their own names, such as ``train.dropout``."""

    TRIAL = "trial"
    STATE = "state"
    METRIC = "ndcg@10"
    EPOCHS = "epochs"
    BEST_EPOCH = "best_epoch"
    VALIDATION = "validation"
    REASON = "reason"


RESERVED_VIEW_NAMES = frozenset({Columns.ITEM, Columns.ITEM_ID})
"""Names that no view may have, because the contract uses them."""

RESERVED_LIST_NAMES = frozenset({Columns.USER_ID, Columns.ITEM_ID, Columns.ITEM_IDS, Columns.SCORES, Columns.FALLBACK})
"""Names that a view beside recommendations may not have."""
