"""What may be recommended: the items that filters leave, and what becomes of those in the history."""

import numpy as np

from stages.artifacts.names import ITEMS, Columns
from stages.frame.run import StageRun
from stages.recommend.files import Readers, item_columns, read_ids, require_readers
from stages.recommend.options import RecommendOptions
from stages.recommend.recommender import Mask, Recommender


def allowed_items(
    options: RecommendOptions,
    run: StageRun,
    recommender: Recommender,
    usual: dict[str, str],
    readers: Readers | None,
) -> Mask | None:
    """Which items the filters leave (N + 1,), by item number; ``None`` for all."""
    columns = item_columns(options.item_column, usual)
    given = {
        name: None if path is None else read_ids(path, run.workdir, columns, f"--{name}", readers)
        for name, path in (("candidates", options.candidates), ("exclude", options.exclude))
    }
    allowed = recommender.allowed(given["candidates"], given["exclude"])
    if options.where is None:
        return allowed
    source, names = (run.path(ITEMS), [Columns.ITEM_ID]) if options.items is None else (options.items, columns)
    ids = require_readers(readers, "--where").read_ids_where(source, run.workdir, names, options.where)
    holds = np.zeros(len(recommender.items) + 1, np.bool_)
    holds[recommender.items.numbers(ids)] = True
    holds[0] = False
    allowed = holds if allowed is None else allowed & holds
    recommender.require_some(allowed)
    return allowed


def seen_items_in_words(options: RecommendOptions, recommender: Recommender) -> str:
    """In words, what becomes of items that the history holds, and who decided it."""
    verb = "left out" if recommender.excludes_seen(options.exclude_seen) else "left in"
    if options.exclude_seen is not None:
        return f"{verb}, as asked"
    learnt = "ranked by what the model learnt" if verb == "left in" else "the model learnt nothing"
    return f"{verb}, {learnt} of repeats"
