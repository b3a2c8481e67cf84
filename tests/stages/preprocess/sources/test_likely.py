from pathlib import Path

import pytest

from stages.preprocess.sources.likely import Likely, likely_columns
from stages.preprocess.sources.sample import take_sample


def likely(path: Path, *lines: str) -> Likely:
    path.write_text("".join(f"{line}\n" for line in lines))
    return likely_columns(take_sample(path))


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    [
        ("customer,sku,bought_at", "c1,s1,2024-05-31", ("customer", "sku", "bought_at")),
        (
            "CUSTOMER_ID;ProductName;ProductID;OrderDate",
            "1;Saw;7;2024/5/31 10:00",
            ("CUSTOMER_ID", "ProductID", "OrderDate"),
        ),
        ("user,item,time", "1,2,0", ("user", "item", "time")),
        ("userid,movieid,when", "1,2,881250949", ("userid", "movieid", "when")),
        (
            "reviewerName,reviewerID,asin,unixReviewTime",
            "Al,A1,B1,1388534400",
            ("reviewerID", "asin", "unixReviewTime"),
        ),
        ("visitor,articleNo,x", "1,2,1600000000000", ("visitor", "articleNo", "x")),
        ("time_spent,session,track_title,track,ts", "5,s,Song,t,2024-01-01T00:00:00Z", ("session", "track", "ts")),
        ("a,b,c", "1,2,3", (None, None, None)),
        ("flat,format,chat", "1,2,3", (None, None, None)),  # "at" is a word of its own
        ("user_id,item_id,time", "1,2,morning", ("user_id", "item_id", None)),
    ],
)
def test_columns_are_known_by_their_names_and_times_by_their_values(tmp_path, header, row, expected):
    found = likely(tmp_path / "log.csv", header, row)
    assert (found.user, found.item, found.time) == expected


def test_ratings_and_kinds_of_interactions(tmp_path):
    rows = [f"u{n},i{n},{n % 5 + 1},{('view', 'buy')[n % 2]},note {n}" for n in range(20)]
    found = likely(tmp_path / "log.csv", "user,item,stars,event_type,comment", *rows)
    assert (found.rating, found.kind) == ("stars", "event_type")
    one = likely(tmp_path / "log.csv", "user,item,stars,event_type", "u,i,good,view")
    assert (one.rating, one.kind) == (None, None)  # texts are no ratings, and one kind is none


def test_records_and_nested_values(tmp_path):
    found = likely(tmp_path / "log.jsonl", '{"customer": {"id": 3}, "user": "u", "item": "i", "at": 1600000000}')
    assert (found.user, found.item, found.time) == ("user", "item", "at")


def test_the_options_as_they_are_typed():
    found = Likely("customer no", "sku", "bought at")
    assert found.flags() == "--user-column 'customer no' --item-column sku --time-column 'bought at'"
    assert found.flags(user=False, time=False) == "--item-column sku"
    assert Likely().flags() == ""
