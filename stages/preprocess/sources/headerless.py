"""Files whose columns are not written in them: MovieLens before 2015, known by name."""

from dataclasses import dataclass

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


def known_headerless(name: str, line: bytes) -> Headerless | None:
    """The fields of the file called ``name`` whose first line is ``line``, if it is one of these."""
    known = HEADERLESS.get(name.removesuffix(".gz"))
    if known is None or line.count(known.separator.encode()) != len(known.columns) - 1:
        return None
    return known
