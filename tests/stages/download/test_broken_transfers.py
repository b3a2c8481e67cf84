"""Connections that break, and servers that misbehave."""

import base64
import gzip
import hashlib
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from mirror import Fault

from stages.artifacts.errors import DataError, UsageError
from stages.frame.reporter import Reporter

CATEGORY = "Video_Games"
TRAIN = f"benchmark/5core/last_out_w_his/{CATEGORY}.train.csv.gz"
META = f"raw/meta_categories/meta_{CATEGORY}.jsonl.gz"
PART = f"{CATEGORY}.train.csv.gz.part"


@pytest.fixture
def train(games) -> bytes:
    return games.files[TRAIN]


@pytest.fixture
def arrived(here) -> Callable[[], bytes]:
    """What stands at the place of the training file; by then nothing partial may be left."""

    def read() -> bytes:
        assert not list(here.glob("*.part*"))
        return (here / f"{CATEGORY}.train.csv.gz").read_bytes()

    return read


def asked(games) -> list[dict[str, str]]:
    """The headers of the requests for the training file."""
    return [headers for path, headers in games.requests if path == TRAIN]


def test_a_cut_connection_goes_on_where_it_was_cut(games, fetch, train, arrived, waits):
    games.faults[TRAIN] = [Fault(cut=100_000), Fault(cut=50_000)]
    result = fetch()
    assert arrived() == train
    assert [headers.get("Range") for headers in asked(games)] == [None, "bytes=100000-", "bytes=150000-"]
    assert {headers.get("If-Range") for headers in asked(games)[1:]} == {games.marks(train)["ETag"]}
    assert games.sent[TRAIN] == len(train)
    assert waits == [1.0, 2.0]
    assert result.facts["files"][0]["state"] == "resumed"


def test_the_next_run_goes_on_where_the_last_gave_up(games, fetch, train, here, arrived):
    games.faults[TRAIN] = [Fault(cut=70_000)]
    with pytest.raises(DataError) as caught:
        fetch(retries=0)
    message = str(caught.value)
    assert f"{games.url}/{TRAIN}: the connection was cut after 70,000 of {len(train):,} bytes (1 attempt)" in message
    assert "type the same command again" in message
    assert f"70,000 bytes in {here / PART} are kept" in message
    assert (here / PART).read_bytes() == train[:70_000]
    assert not (here / f"{CATEGORY}.train.csv.gz").exists()
    assert fetch().facts["files"][0]["state"] == "resumed"
    assert arrived() == train
    assert games.sent[TRAIN] == len(train)


def test_a_server_without_ranges_sends_the_file_again(games, fetch, train, arrived):
    games.ranges = False
    games.faults[TRAIN] = [Fault(cut=100_000)]
    assert fetch().facts["files"][0]["state"] == "downloaded"
    assert arrived() == train
    assert games.sent[TRAIN] == 100_000 + len(train)


@pytest.mark.parametrize("if_range", [True, False])
def test_a_file_that_changed_meanwhile_is_fetched_anew(games, fetch, train, arrived, if_range):
    """Also from a server that ignores If-Range; parts of two versions are never joined."""
    changed = gzip.compress(bytes(255 - byte for byte in gzip.decompress(train)), 1, mtime=0)
    assert len(changed) == len(train)  # so that only the ETag tells them apart
    games.if_range = if_range
    games.faults[TRAIN] = [Fault(cut=100_000, then=lambda: games.files.update({TRAIN: changed}))]
    assert fetch().facts["files"][0]["state"] == "downloaded"
    assert arrived() == changed


def test_a_date_serves_where_there_is_no_etag(games, fetch, train, arrived):
    games.validators = ("Last-Modified",)
    games.faults[TRAIN] = [Fault(cut=100_000)]
    fetch()
    assert arrived() == train
    assert asked(games)[1]["If-Range"] == games.marks(train)["Last-Modified"]
    assert games.sent[TRAIN] == len(train)


def test_without_a_mark_of_the_version_nothing_is_continued(games, fetch, train, arrived):
    games.validators = ()
    weak = Fault(cut=100_000, headers={"ETag": 'W/"1"'})
    games.faults[TRAIN] = [Fault(cut=100_000), weak]
    fetch()
    assert arrived() == train
    assert not any("Range" in headers for headers in asked(games))


def test_a_part_from_another_address_is_not_continued(games, fetch, train, arrived):
    games.faults[TRAIN] = [Fault(cut=100_000)]
    with pytest.raises(DataError):
        fetch(retries=0)
    fetch(base_url=games.url.replace("127.0.0.1", "localhost"))
    assert arrived() == train
    assert "Range" not in asked(games)[-1]


@pytest.mark.parametrize("about", [None, "{", "[]", '{"url": 1}'])
def test_a_part_of_unknown_origin_is_not_continued(games, fetch, train, here, arrived, about):
    here.mkdir()
    (here / PART).write_bytes(b"something else")
    if about is not None:
        (here / f"{PART}.json").write_text(about)
    fetch()
    assert arrived() == train


def test_a_part_longer_than_the_file_is_fetched_anew(games, fetch, train, here, arrived):
    games.faults[TRAIN] = [Fault(cut=100_000)]
    with pytest.raises(DataError):
        fetch(retries=0)
    (here / PART).write_bytes(train + b"more")
    fetch()
    assert arrived() == train


def test_a_length_that_is_too_long_is_noticed(games, fetch, train, here, waits):
    games.faults[TRAIN] = [Fault(length=len(train) + 10, headers={"ETag": ""}) for _ in range(3)]
    games.validators = ()
    with pytest.raises(DataError, match=rf"cut after {len(train):,} of {len(train) + 10:,} bytes \(3 attempts\)"):
        fetch(retries=2)
    assert waits == [1.0, 2.0]
    assert not (here / f"{CATEGORY}.train.csv.gz").exists()


def test_a_length_that_is_too_short_is_noticed(games, fetch, train, here):
    games.faults[TRAIN] = [Fault(length=len(train) - 10)]
    with pytest.raises(DataError, match="the file is damaged: it ends too early"):
        fetch()
    assert not list(here.glob("*.gz*"))


def test_without_a_length_the_end_is_checked_by_unpacking(games, fetch, train, arrived, here):
    games.faults[TRAIN] = [Fault(length=-1, cut=100_000)]
    with pytest.raises(DataError, match="it ends too early"):
        fetch()
    assert not list(here.glob("*.gz*"))
    games.faults[TRAIN] = [Fault(length=-1)]
    fetch()
    assert arrived() == train


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (lambda whole: gzip.compress(bytes(1 << 27)), "it unpacks to more than 100 times its size"),
        (lambda whole: whole[:-100], "it ends too early"),
        (lambda whole: b"<!DOCTYPE html><title>Log in</title>", "Not a gzipped file"),
        (lambda whole: b"", "it is empty"),
        (lambda whole: whole[:-8] + bytes(8), "CRC check failed"),
        (lambda whole: whole + b"and more", "Not a gzipped file"),
    ],
)
def test_files_that_are_damaged_on_the_server(games, fetch, train, here, waits, content, expected):
    games.files[TRAIN] = content(train)
    with pytest.raises(DataError) as caught:
        fetch()
    assert expected in str(caught.value)
    assert f"{games.url}/{TRAIN}" in str(caught.value)
    assert "--base-url" in str(caught.value)
    assert not list(here.glob("*.gz*"))
    assert not waits


@pytest.mark.parametrize("header", ["Repr-Digest", "Digest"])
def test_an_announced_checksum_is_verified(games, fetch, train, here, arrived, header):
    colon = ":" if header == "Repr-Digest" else ""

    def announce(content: bytes) -> Fault:
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        return Fault(headers={header: f"md5=xx, sha-256={colon}{digest}{colon}"})

    games.faults[TRAIN] = [announce(b"other")]
    with pytest.raises(DataError, match="the server announced"):
        fetch()
    assert not list(here.glob("*.gz*"))
    games.faults[TRAIN] = [announce(train)]
    fetch()
    assert arrived() == train


def test_a_file_that_is_too_large_is_not_begun(games, fetch, train, here):
    with pytest.raises(DataError) as caught:
        fetch(max_size=1e-4)
    assert f"the file has {len(train):,} bytes, and 100,000 bytes are left of --max-size" in str(caught.value)
    assert not list(here.glob("*.gz*"))


def test_the_size_of_all_files_together_is_bounded(games, fetch, here):
    sizes = [len(content) for content in games.files.values()]
    limit = (sum(sizes) - 1) / 1e9
    for _ in range(2):  # what is there already counts as well
        with pytest.raises(DataError, match=rf"meta_.*has {sizes[-1]:,} bytes, and {sizes[-1] - 1:,} bytes are left"):
            fetch(max_size=limit)
    assert len(list(here.glob("*.csv.gz"))) == 3
    fetch(max_size=sum(sizes) / 1e9)


def test_a_size_that_nobody_announced_is_bounded(games, fetch, here):
    games.faults[TRAIN] = [Fault(length=-1)]
    with pytest.raises(DataError, match="the file is larger, and 100,000 bytes are left"):
        fetch(max_size=1e-4)
    assert (here / PART).stat().st_size <= 100_000


def test_a_full_disk_is_told_beforehand(games, fetch, train, here, monkeypatch):
    monkeypatch.setattr("stages.download.transfer.shutil.disk_usage", lambda path: SimpleNamespace(free=10))
    with pytest.raises(DataError, match=rf"{len(train):,} more bytes, but .* has room for 10"):
        fetch()
    assert not list(here.glob("*.gz*"))


def test_a_disk_that_fails_is_told(fetch, here, monkeypatch):
    def fail(*paths: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("stages.download.stage.put_in_place", fail)
    with pytest.raises(DataError, match=r"cannot write .*train.csv.gz: No space left on device"):
        fetch()


def test_redirects_are_followed(games, fetch, train, arrived):
    games.files["elsewhere"] = games.files.pop(TRAIN)
    games.faults[TRAIN] = [Fault(status=302, headers={"Location": f"{games.url}/elsewhere"})]
    fetch()
    assert arrived() == train


def test_redirects_are_bounded(games, fetch, waits):
    games.faults[TRAIN] = [Fault(status=302, headers={"Location": f"{games.url}/{TRAIN}"})] * 100
    with pytest.raises(DataError, match="redirected more than 5 times, in a circle"):
        fetch()
    assert len(games.requests) <= 6
    games.requests.clear()
    games.faults.clear()
    for hop in range(20):
        games.faults[TRAIN if hop == 0 else f"hop{hop}"] = [
            Fault(status=307, headers={"Location": f"{games.url}/hop{hop + 1}"})
        ]
    with pytest.raises(DataError, match="redirected more than 5 times"):
        fetch()
    assert len(games.requests) == 6
    assert not waits


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:text/plain,x"])
def test_redirects_stay_on_the_web(games, fetch, target):
    games.faults[TRAIN] = [Fault(status=302, headers={"Location": target})]
    with pytest.raises(DataError, match="redirect"):
        fetch()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(status=204), r"answered without the file .HTTP 204 No Content"),
        (Fault(status=206), r"the whole file was asked for, and the server sent a part of it .HTTP 206"),
        (Fault(status=300), r"redirects to nowhere, which is no address of the web .HTTP 300"),
    ],
)
def test_an_answer_without_the_file_is_no_file(games, fetch, here, waits, fault, expected):
    games.faults[TRAIN] = [fault]
    with pytest.raises(DataError, match=f"{games.url}/{TRAIN}.*{expected}"):
        fetch()
    assert (waits, list(here.glob("*.gz*"))) == ([], [])


def test_a_category_that_the_server_does_not_have(games, fetch):
    with pytest.raises(UsageError) as caught:
        fetch(category="Video_Game")
    message = str(caught.value)
    assert "Video_Game: the server has no " in message and "Video_Game.train.csv.gz (HTTP 404)" in message
    assert "Did you mean Video_Games?" in message and "Baby_Products" in message
    del games.files[META]
    with pytest.raises(DataError, match=f"Video_Games: the server has no {games.url}/{META}"):
        fetch()


def test_a_refusal_is_not_asked_again(games, fetch, waits):
    games.faults[TRAIN] = [Fault(status=403)]
    with pytest.raises(DataError, match=r"the server refuses .HTTP 403 Forbidden"):
        fetch()
    assert (len(games.requests), waits) == (1, [])


def test_a_busy_server_is_asked_again(games, fetch, train, arrived, waits):
    games.faults[TRAIN] = [Fault(status=500), Fault(status=503, headers={"Retry-After": "7"}), Fault(status=429)]
    fetch()
    assert arrived() == train
    assert waits == [1.0, 7.0, 4.0]


def test_attempts_and_waits_are_bounded(games, fetch, waits):
    games.faults[TRAIN] = [Fault(status=503, headers={"Retry-After": "86400"})] + [Fault(status=500)] * 20
    with pytest.raises(DataError, match=r"HTTP 500 Internal Server Error \(9 attempts\)"):
        fetch(retries=8)
    assert waits == [60.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert len(games.requests) == 9


def test_no_server_at_all(fetch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/data"
    with pytest.raises(DataError) as caught:
        fetch(base_url=address, retries=1)
    assert f"{address}/{TRAIN}: " in str(caught.value)
    assert "refused" in str(caught.value) and "(2 attempts)" in str(caught.value)
    assert "HTTPS_PROXY" in str(caught.value)


def test_a_silent_server_is_left(games, fetch, train, here):
    games.faults[TRAIN] = [Fault(cut=100_000, silent=2)]
    with pytest.raises(DataError, match="did not answer in time"):
        fetch(retries=0, timeout=0.3)
    kept = (here / PART).read_bytes()
    assert kept and train.startswith(kept)


def test_an_interrupt_keeps_what_has_arrived(games, fetch, train, here, arrived):
    class Interrupting(Reporter):
        @contextmanager
        def track(self, label: str, total: int | None = None, unit: str = "") -> Iterator[Callable[[int], None]]:
            done = 0

            def advance(count: int) -> None:
                nonlocal done
                done += count
                if done > 150_000:
                    raise KeyboardInterrupt

            yield advance

    with pytest.raises(KeyboardInterrupt):
        fetch(reporter=Interrupting())
    kept = (here / PART).stat().st_size
    assert 150_000 < kept < len(train)
    fetch()
    assert arrived() == train
    assert asked(games)[-1]["Range"] == f"bytes={kept}-"
