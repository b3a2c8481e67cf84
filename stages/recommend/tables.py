"""Makes the lists of all users, a chunk of them at a time."""

from collections.abc import Iterator

import pyarrow as pa

from stages.frame.run import StageRun
from stages.recommend.chunks import ChunkStore
from stages.recommend.options import RecommendOptions
from stages.recommend.recommender import Mask, Recommender
from stages.recommend.whom import Served

CHUNK_USERS = 16_384
"""Users whose lists are made, kept and written at a time."""


def list_tables(
    options: RecommendOptions,
    run: StageRun,
    recommender: Recommender,
    served: Served,
    allowed: Mask | None,
    store: ChunkStore,
) -> Iterator[pa.Table]:
    """The lists of all users, a chunk of them at a time; chunks that are there are not made again."""
    users = len(served.user_ids)
    kept = 0
    with run.measure("recommending"), run.reporter.track("recommending", users, "users") as advance:
        for number, low in enumerate(range(0, users, CHUNK_USERS)):
            high = min(low + CHUNK_USERS, users)
            table = store.read(number)
            if table is None:
                lists = recommender.lists(
                    *served.part(low, high),
                    top=options.top,
                    exclude_seen=options.exclude_seen,
                    allowed=allowed,
                    progress=advance,
                )
                names = served.user_ids.slice(low, high - low)
                table = recommender.items.table(names, lists, options.with_views)
                store.write(number, table)
            else:
                kept += high - low
                advance(high - low)
            yield table
    if kept:
        run.reporter.info(f"continuing an interrupted run: {kept:,} of {users:,} users were done")
