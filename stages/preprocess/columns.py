"""Column names inside the stage; the columns of the artifacts are named in ``stages.artifacts.names``."""

USER = "user"
"""The user's id as in the log (string), later its rank (uint32)."""

ITEM = "item"
"""The item's id as in the log (string), later its rank (uint32)."""

TIME = "time"
"""When it happened (int64, unit of the log), null where unknown."""

RATING = "rating"
"""The rating (float64), read only when interactions are filtered by it."""

PART = "part"
"""Of a published split: 0 training, 1 validation, 2 test (int8)."""

ROW = "row"
"""Position in the input, counted over all files (uint32)."""

ID = "id"
"""The item's id in the item metadata (string)."""
