"""Which stage makes which files out of which."""

from dataclasses import dataclass
from pathlib import Path

from stages.artifacts import names


@dataclass(frozen=True)
class Stage:
    """A stage and its files, by their names inside the work directory; the first output stands for all."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


PIPELINE = (
    Stage("preprocess", (), (names.SEQUENCES, names.ITEMS, names.HISTORIES)),
    Stage("embed", (names.ITEMS,), (names.EMBEDDINGS,)),
    Stage("quantize", (names.EMBEDDINGS,), (names.CODES, names.QUANTIZER)),
    Stage(
        "train",
        (names.SEQUENCES, names.EMBEDDINGS, names.CODES),
        (names.MODEL_CONFIG, names.MODEL_WEIGHTS, names.HISTORY),
    ),
    Stage("evaluate", (names.SEQUENCES, names.MODEL_CONFIG), (names.METRICS, names.RANKS, names.BACKTEST)),
    Stage("recommend", (names.HISTORIES, names.MODEL_CONFIG), (names.RECOMMENDATIONS,)),
)

STAGES = {stage.name: stage for stage in PIPELINE}

AFTERWARDS = (
    Stage(
        "export",
        (names.HISTORIES, names.MODEL_CONFIG),
        (names.EXPORT, names.ITEM_VECTORS, names.USER_VECTORS, names.MODEL_CARD),
    ),
)
"""What is made of a trained model where somebody asks for it; nothing is missing where it is not there."""

MAKERS = {stage.name: stage for stage in (*PIPELINE, *AFTERWARDS)}


def stage_of(path: Path) -> str | None:
    """The name of the stage that makes the file at ``path``, judged by its name; ``None`` for other files."""
    for stage in MAKERS.values():
        if any(Path(output).name == path.name for output in stage.outputs):
            return stage.name
    return None


def in_search(path: Path) -> bool:
    """Whether a file is one of those that ``tune`` works with, which bear the names of artifacts."""
    study = Path(names.STUDY).name
    return any(folder.name == names.TUNE_DIR and (folder / study).exists() for folder in path.absolute().parents)


def again(path: Path) -> str | None:
    """The hint of an error about an artifact that cannot be read; ``None`` for other files."""
    if in_search(path):
        return "Run `cocorec tune` again, which makes it anew."
    if path.name == Path(names.MODEL_CARD).name:
        return (
            "Delete it, and run `cocorec export` to write it again. A card that you have changed is yours once the "
            "comment in its second line is gone."
        )
    beside_a_model = path.parent.name == names.MODEL_DIR and path.name in (names.ITEMS, names.QUANTIZER)
    stage = "export" if beside_a_model else stage_of(path)
    return f"Run `cocorec {stage} --force` to write it again." if stage else None
