"""Which columns of a table look like a user, an item, a time: by their names, a time also by its values.

For messages, and for the configuration that ``cocorec init`` writes: nothing is read because of a guess alone.
"""

import re
import shlex
from dataclasses import dataclass

import polars as pl

from stages.preprocess.sources.sample import Sample
from stages.preprocess.sources.scan import collect, scan

_USER = (
    *("user", "customer", "reviewer", "visitor", "client", "member", "buyer", "shopper", "account", "subscriber"),
    *("person", "profile", "player", "listener", "reader", "viewer", "student", "patient", "who", "uid", "session"),
)
_ITEM = (
    *("item", "product", "asin", "sku", "article", "movie", "book", "isbn", "track", "song", "video", "game", "app"),
    *("business", "restaurant", "recipe", "offer", "listing", "content", "document", "artist", "goods", "what"),
    *("iid", "pid"),
)
_TIME = ("timestamp", "datetime", "time", "ts", "date", "at", "when", "created", "unix", "day")
_RATING = ("rating", "stars", "overall", "score")
_KIND = ("event", "action", "behavior", "behaviour", "kind", "type", "status")
_OTHER = ("name", "title", "type", "category", "count", "price", "age", "group", "index", "zone", "spent", "url")
"""Words of columns that say something of a user or an item, or of a length of time, and are not its id or moment."""

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+")
_DATE = r"^\s*\d{4}[-/]\d{1,2}[-/]\d{1,2}([T ]|\s*$)"
_FIRST, _LAST = 631_152_000, 4_102_444_800  # 1990 to 2100 in seconds
_ROWS = 200
_MOST_KINDS = 12


@dataclass(frozen=True)
class Likely:
    """Columns by what they look like; ``None`` where no column does.

    Attributes:
        user, item, time, rating: the columns.
        kind: what sort of interaction a row is, such as a view or a purchase.
    """

    user: str | None = None
    item: str | None = None
    time: str | None = None
    rating: str | None = None
    kind: str | None = None

    def flags(self, *, user: bool = True, item: bool = True, time: bool = True) -> str:
        """The options that name the columns, as they are typed; those that are not asked for are left out."""
        wanted = (
            ("--user-column", self.user, user),
            ("--item-column", self.item, item),
            ("--time-column", self.time, time),
        )
        return " ".join(f"{flag} {shlex.quote(name)}" for flag, name, asked in wanted if name and asked)


def likely_columns(sample: Sample) -> Likely:
    """What the columns of a file look like.

    Args:
        sample: ready for the engine; its first rows are read.

    Raises:
        DataError: when the file is malformed there.
    """
    columns = [name for name in sample.columns if name]
    rows = collect(scan(sample, columns).head(_ROWS), [sample])
    texts = rows.select(pl.col(name).cast(pl.String) for name, dtype in rows.schema.items() if not dtype.is_nested())
    plain = [name for name in columns if name in texts.columns]
    user = _named(plain, _USER)
    item = _named([name for name in plain if name != user], _ITEM)
    left = [name for name in plain if name not in (user, item)]
    time = _named([name for name in left if _is_time(texts[name], any_number=True)], _TIME)
    time = time or next((name for name in left if _is_time(texts[name], any_number=False)), None)
    left = [name for name in left if name != time]
    rating = _named([name for name in left if _are_numbers(texts[name])], _RATING)
    kinds = [name for name in left if name != rating and 1 < texts[name].n_unique() <= _MOST_KINDS]
    return Likely(user, item, time, rating, _named(kinds, _KIND, others=False))


def _words(name: str) -> list[str]:
    """The words of a column's name: ``userId``, ``user_id`` and ``USERID`` have ``user``."""
    return [word.lower() for word in _WORDS.findall(name)]


def _named(columns: list[str], words: tuple[str, ...], *, others: bool = True) -> str | None:
    """The column that a word names best: one that is an id, of the first word, that stands first."""
    ranked = []
    for place, name in enumerate(columns):
        own = _words(name)
        found = [word if word in words else word.removesuffix("id") for word in own]
        ranks = [words.index(word) for word in found if word in words and (word != "at" or word == own[-1] != own[0])]
        if ranks:
            ranked.append((others and any(word in _OTHER for word in own), min(ranks), len(own), place, name))
    return min(ranked)[-1] if ranked else None


def _is_time(texts: pl.Series, *, any_number: bool) -> bool:
    """Whether values are dates, or numbers that are moments in seconds or finer; with ``any_number`` also positions."""
    values = texts.drop_nulls()
    values = values.filter(values.str.strip_chars() != "")
    if values.is_empty():
        return False
    if values.str.contains(_DATE).all():
        return True
    numbers = values.cast(pl.Float64, strict=False)
    if numbers.null_count():
        return False
    return any_number or any(bool(numbers.is_between(_FIRST * n, _LAST * n).all()) for n in (1, 10**3, 10**6, 10**9))


def _are_numbers(texts: pl.Series) -> bool:
    numbers = texts.cast(pl.Float64, strict=False)
    return numbers.null_count() == texts.null_count() < len(texts)
