"""Files whose columns are not written in them: MovieLens before 2015 and the ratings of Amazon before 2023."""

import fnmatch
import re
from dataclasses import dataclass

from stages.preprocess.sources.opened import plain_name

GENRES = (
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)
"""The flags of ``u.item``, in the order of ``u.genre``."""


@dataclass(frozen=True)
class Headerless:
    """How the lines of such a file are to be read.

    Attributes:
        separator: between the fields.
        columns: the fields, named as in later MovieLens files.
    """

    separator: str
    columns: tuple[str, ...]


_RATINGS = ("userId", "movieId", "rating", "timestamp")

HEADERLESS = {
    "u.data": Headerless("\t", _RATINGS),
    "u.item": Headerless("|", ("movieId", "title", "release_date", "video_release_date", "imdb_url", *GENRES)),
    "ratings.dat": Headerless("::", _RATINGS),
    "movies.dat": Headerless("::", ("movieId", "title", "genres")),
}


_AMAZON_USER = r"A[0-9A-Z]{9,20}"
_AMAZON_ITEM = r"B0[0-9A-Z]{8}|[0-9]{9}[0-9X]"
_AMAZON_REST = r"[1-5](?:\.0)?,[0-9]{9,10}"
_AMAZON = (
    (
        re.compile(f"(?:{_AMAZON_USER}),(?:{_AMAZON_ITEM}),{_AMAZON_REST}"),
        ("user_id", "item_id", "rating", "timestamp"),
    ),
    (
        re.compile(f"(?:{_AMAZON_ITEM}),(?:{_AMAZON_USER}),{_AMAZON_REST}"),
        ("item_id", "user_id", "rating", "timestamp"),
    ),
)
"""A first line of the ratings of Amazon: of 2014 the user stands first, of 2018 the item."""

_RATING_LINE = re.compile(r"[^,]+,[^,]+,[0-5](?:\.[0-9]+)?,[0-9]+")


def known_headerless(name: str, line: bytes) -> Headerless | None:
    """The fields of the file called ``name`` whose first line is ``line``, if it is one of these."""
    name, text = plain_name(name), line.decode("utf-8", "replace")
    known = HEADERLESS.get(name)
    if known is not None and text.count(known.separator) == len(known.columns) - 1:
        return known
    for pattern, columns in _AMAZON:
        if pattern.fullmatch(text):
            return Headerless(",", columns)
    if fnmatch.fnmatchcase(name, "ratings_*.csv") and _RATING_LINE.fullmatch(text):
        return Headerless(",", _AMAZON[0][1])
    return None
