"""``s3://`` through the client that people use, against a server on this machine that speaks the protocol."""

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bucket import Bucket, serving

from stages.artifacts.copies import COPIES
from stages.artifacts.errors import DataError

Run = Callable[..., Any]
HEAD = b"user_id,item_id,timestamp\n"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    with serving("shop") as bucket:
        settings = {"ENDPOINT_URL": bucket.endpoint, "ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b"}
        settings |= {"DEFAULT_REGION": "us-east-1", "EC2_METADATA_DISABLED": "true"}
        for name, value in settings.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        bucket.objects = {
            "logs/a.csv.gz": gzip.compress(HEAD + b"u,B,2\nu,A,1\n"),
            "logs/b [1].csv": HEAD + b"u,C,3\n",
            "logs/old/z.csv": HEAD + b"u,Z,0\n",
            "logs/_SUCCESS": b"",
            "items.jsonl": b'{"item_id": "A", "name": "saw"}\n',
        }
        yield bucket


def test_files(run: Run, bucket: Bucket) -> None:
    options = {"items": ["s3://shop/items.jsonl"], "k_core": 0}
    made = run("s3://shop/logs/a.csv.gz", **options)
    assert made.users == {"u": ["A", "B"]}
    assert made.items["A"] == {"name": "saw"}
    bucket.requests.clear()
    assert run("s3://shop/logs/a.csv.gz", **options).users == made.users
    assert {method for method, _ in bucket.requests} == {"HEAD"}  # nothing is sent again
    bucket.objects["logs/a.csv.gz"] = gzip.compress(HEAD + b"u,B,2\nu,A,1\nu,D,4\n")
    assert run("s3://shop/logs/a.csv.gz", **options).users == {"u": ["A", "B", "D"]}


@pytest.mark.parametrize("address", ["s3://shop/logs", "s3://shop/logs/", "s3://shop/logs/*.csv*", "s3:/shop/logs/*c*"])
def test_folders_and_patterns(run: Run, bucket: Bucket, address: str) -> None:
    below = [] if "*" in address else ["Z"]  # a folder is read with all that is below it
    assert run(address, k_core=0).users == {"u": [*below, "A", "B", "C"]}
    assert run(Path(address), k_core=0).users == {"u": [*below, "A", "B", "C"]}


def test_names_with_brackets(run: Run, bucket: Bucket) -> None:
    assert run("s3://shop/logs/b [1].csv", k_core=0).users == {"u": ["C"]}


@pytest.mark.parametrize(
    ("address", "options", "message"),
    [
        ("s3://shop/none.csv", {}, r"cannot fetch s3://shop/none\.csv: there is no such file"),
        ("s3://nowhere/none.csv", {}, r"cannot fetch s3://nowhere/none\.csv: there is no such file"),
        ("s3://shop/logs/*.parquet", {}, r"no file matches s3://shop/logs/\*\.parquet"),
        ("s3://shop/logs/b [1].csv", {"max_size": 20e-9}, r"it has more than the 20 bytes of --max-size"),
    ],
)
def test_what_cannot_be_had(
    run: Run, bucket: Bucket, tmp_path: Path, address: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        run(address, k_core=0, **options)
    assert caught.value.hint
    assert not list((tmp_path / "work" / COPIES).rglob("*.csv*"))
