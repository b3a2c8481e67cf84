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
class Layout:
    """How the lines of such a file are to be read.

    Attributes:
        separator: between the fields.
        columns: the fields, named as in later MovieLens files.
    """

    separator: str
    columns: tuple[str, ...]


_RATINGS = ("userId", "movieId", "rating", "timestamp")

LAYOUTS = {
    "u.data": Layout("\t", _RATINGS),
    "u.item": Layout("|", ("movieId", "title", "release_date", "video_release_date", "imdb_url", *GENRES)),
    "ratings.dat": Layout("::", _RATINGS),
    "movies.dat": Layout("::", ("movieId", "title", "genres")),
}


def known_layout(name: str, line: bytes) -> Layout | None:
    """The layout of the file called ``name`` whose first line is ``line``, if it is one of these."""
    layout = LAYOUTS.get(name.removesuffix(".gz"))
    if layout is None or line.count(layout.separator.encode()) != len(layout.columns) - 1:
        return None
    return layout
