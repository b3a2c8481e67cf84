import pytest

from stages.preprocess.sources.headerless import GENRES, HEADERLESS, known_headerless

USER_FIRST = ("user_id", "item_id", "rating", "timestamp")
ITEM_FIRST = ("item_id", "user_id", "rating", "timestamp")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("u.data", b"196\t242\t3\t881250949"),
        ("u.item", b"1|Toy Story (1995)|01-Jan-1995||http://x|" + b"|".join([b"0"] * len(GENRES))),
        ("u.item", b"1|Caf\xe9|01-Jan-1995||http://x|" + b"|".join([b"0"] * len(GENRES))),  # Latin-1
        ("ratings.dat", b"1::1193::5::978300760"),
        ("movies.dat", b"1::Toy Story (1995)::Animation|Comedy"),
    ],
)
def test_movielens_by_name_and_number_of_fields(name: str, line: bytes) -> None:
    known = known_headerless(name, line)
    assert known is HEADERLESS[name]
    assert len(line.split(known.separator.encode())) == len(known.columns)
    assert known_headerless(f"{name}.gz", line) is known
    assert known_headerless(f"my-{name}", line) is None
    assert known_headerless(name, line + known.separator.encode() + b"more") is None
    assert known_headerless(name, b"one field") is None


@pytest.mark.parametrize(
    ("line", "columns"),
    [
        (b"A2SUAM1J3GNN3B,0000013714,5.0,1400457600", USER_FIRST),
        (b"AKM1MP6P0OYPR,B000000001,1,137479360", USER_FIRST),
        (b"0000013714,A2SUAM1J3GNN3B,5.0,1400457600", ITEM_FIRST),
        (b"000001371X,A2SUAM1J3GNN3B,5,1400457600", ITEM_FIRST),
    ],
)
def test_amazon_by_the_first_line_whatever_the_name(line: bytes, columns: tuple[str, ...]) -> None:
    for name in ("Books.csv", "x", "ratings_Books.csv"):
        known = known_headerless(name, line)
        assert known is not None
        assert (known.separator, known.columns) == (",", columns)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"user_id,item_id,rating,timestamp",
        b"A2SUAM1J3GNN3B,0000013714,0.0,1400457600",
        b"A2SUAM1J3GNN3B,0000013714,5.5,1400457600",
        b"A2SUAM1J3GNN3B,0000013714,5.0,1400457600000",
        b"A2SUAM1J3GNN3B,0000013714,5.0,1400457600,",
        b"a2suam1j3gnn3b,0000013714,5.0,1400457600",
        b"7,8,5.0,1400457600",
    ],
)
def test_other_lines_are_none_of_these(line: bytes) -> None:
    assert known_headerless("log.csv", line) is None


def test_ratings_by_their_name_may_have_any_ids() -> None:
    known = known_headerless("ratings_Own.csv.gz", b"7,8,4.5,1400457600")
    assert known is not None
    assert known.columns == USER_FIRST
    assert known_headerless("ratings_Own.csv", b"userId,movieId,rating,timestamp") is None
    assert known_headerless("Ratings_Own.csv", b"7,8,4.5,1400457600") is None
