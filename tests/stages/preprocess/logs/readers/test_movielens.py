"""The files of MovieLens, old and new: ratings and movies."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
TIME = 1_400_000_000
MOVIES = {"1": ("Toy Story (1995)", "Animation|Children's|Comedy"), "2": ("Misérables, Les (1995)", None)}
RATINGS = [("1", "2", 4, 2), ("1", "1", 5, 1), ("9", "2", 3, 7)]
GENRES = {"1": {"title": MOVIES["1"][0], "genres": "Animation, Children's, Comedy"}}
GENRES["2"] = {"title": MOVIES["2"][0], "genres": None}


def movielens(folder: Path, layout: str) -> tuple[Path, Path]:
    folder.mkdir()
    (folder / "README").write_text("about")
    if layout == "ml-100k":
        log, items = folder / "u.data", folder / "u.item"
        log.write_text("".join(f"{u}\t{m}\t{r}\t{TIME + t}\n" for u, m, r, t in RATINGS))
        flags = {"1": "0|0|0|1|1|1" + "|0" * 13, "2": "1" + "|0" * 18}
        text = "".join(f"{m}|{title}|01-Jan-1995||http://x?{m}|{flags[m]}\n" for m, (title, _) in MOVIES.items())
        items.write_bytes(text.encode("latin-1"))
        (folder / "u.user").write_text("1|24|M|technician|85711\n")
    elif layout in ("ml-1m", "ml-10m"):
        log, items = folder / "ratings.dat", folder / "movies.dat"
        log.write_text("".join(f"{u}::{m}::{r}::{TIME + t}\n" for u, m, r, t in RATINGS))
        text = "".join(f"{m}::{title}::{genres or '(no genres listed)'}\n" for m, (title, genres) in MOVIES.items())
        items.write_bytes(text.encode("latin-1" if layout == "ml-1m" else "utf-8"))
    else:
        log, items = folder / "ratings.csv", folder / "movies.csv"
        log.write_text(
            "userId,movieId,rating,timestamp\n" + "".join(f"{u},{m},{r},{TIME + t}\n" for u, m, r, t in RATINGS)
        )
        rows = [f'{m},"{title}",{genres or "(no genres listed)"}\n' for m, (title, genres) in MOVIES.items()]
        items.write_text("movieId,title,genres\n" + "".join(rows))
        (folder / "tags.csv").write_text("userId,movieId,tag,timestamp\n1,1,fun,5\n")
    return log, items


@pytest.mark.parametrize("whole_folder", [False, True], ids=["files", "folder"])
@pytest.mark.parametrize("layout", ["ml-100k", "ml-1m", "ml-10m", "ml-25m"])
def test_movielens(run: Run, tmp_path: Path, layout: str, whole_folder: bool) -> None:
    log, items = movielens(tmp_path / layout, layout)
    if whole_folder:
        log = items = log.parent
    made = run(log, items=[items], k_core=0)
    assert (made.facts["format"], made.facts["items_format"]) == ("movielens", "movielens")
    assert made.users == {"1": ["1", "2"], "9": ["2"]}
    assert made.times["9"] == [TIME + 7]
    assert made.items == GENRES
    assert run(log, k_core=0, rating_min=4).users == {"1": ["1", "2"]}


def test_says_which_format_was_recognised(run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log, _ = movielens(tmp_path / "m", "ml-1m")
    with caplog.at_level("INFO", logger="cocorec"):
        run(log, k_core=0)
    assert "ratings.dat: read as movielens (ratings of MovieLens" in caplog.text
