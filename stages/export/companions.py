"""What others need to use a model and it does not hold itself: the ids of its items, the codebooks of its codes."""

import shutil
from pathlib import Path

from safetensors import safe_open

from stages.artifacts.atomic import atomic_path
from stages.artifacts.errors import DataError
from stages.artifacts.items import ids_fingerprint
from stages.artifacts.lineage import Lineage, read_lineage
from stages.artifacts.names import CODES, ITEMS, MODEL_DIR, MODEL_WEIGHTS, QUANTIZER, Columns
from stages.artifacts.tables import read_table, write_table
from stages.frame.run import StageRun
from stages.model.files import Saved, read_saved
from stages.model.recommender import Recommender
from stages.model.registry import model_class


def companions(run: StageRun) -> list[str]:
    """Names of the files that belong beside the model: ``items.parquet`` with the ids alone, ``quantizer.safetensors``.

    Raises:
        DataError: when the model is damaged.
    """
    saved = read_saved(run.workdir)
    known = model_class(saved.config.model)
    found = []
    if issubclass(known, Recommender) and saved.items.ids is not None and run.path(ITEMS).exists():
        with safe_open(run.path(MODEL_WEIGHTS), framework="numpy") as file:
            found += [ITEMS] if known.knows_items(file.keys()) else []
    if CODES in known.reads and _of_the_codes(run):
        found.append(QUANTIZER)
    return found


def _of_the_codes(run: StageRun) -> bool:
    """Whether the codebooks that are here are those of the codes."""
    codebooks, codes = run.path(QUANTIZER), run.path(CODES)
    return codebooks.exists() and codes.exists() and read_lineage(codebooks) == read_lineage(codes)


def write_companions(run: StageRun) -> None:
    """Put them beside the model.

    Raises:
        DataError: when an artifact is damaged, or the folder cannot be written.
    """
    for name in companions(run):
        target = _place(run, name)
        if name == QUANTIZER:
            run.fingerprints.of(run.path(name))  # holds it against its digest
            with atomic_path(target) as temporary:
                shutil.copyfile(run.path(name), temporary)
        else:
            ids = read_table(run.path(name), [Columns.ITEM, Columns.ITEM_ID])
            write_table(target, ids.slice(0, read_saved(run.workdir).config.items), Lineage("preprocess", {}, {}))


def are_there(run: StageRun) -> bool:
    """Whether all of them lie beside the model as they would be written now."""
    saved = read_saved(run.workdir)
    return all(_is_there(run, saved, name) for name in companions(run))


def _is_there(run: StageRun, saved: Saved, name: str) -> bool:
    path = _place(run, name)
    try:
        if not path.exists():
            return False
        if name == QUANTIZER:
            return run.fingerprints.of(path) == run.fingerprints.of(run.path(name))
        return ids_fingerprint(path, saved.config.items) == saved.items.ids
    except DataError:
        return False


def _place(run: StageRun, name: str) -> Path:
    return run.path(MODEL_DIR) / name
