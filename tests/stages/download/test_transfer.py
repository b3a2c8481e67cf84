"""One file from a server on this machine; what whole downloads do is in ``test_broken_transfers.py``."""

import gzip
import hashlib
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from mirror import MODIFIED, Fault, Mirror
from recording import Recorder

from stages.artifacts.errors import DataError
from stages.download.transfer import Transfer

NAME = "a.csv.gz"
CONTENT = gzip.compress(random.Random(0).randbytes(30_000), 1, mtime=0)
Make = Callable[..., Transfer]


@pytest.fixture
def listener() -> Recorder:
    return Recorder()


@pytest.fixture
def transfer(mirror: Mirror, tmp_path: Path, listener: Recorder, waits: list[float]) -> Make:
    mirror.files = {NAME: CONTENT}

    def make(most_bytes: int = 1 << 20, retries: int = 1) -> Transfer:
        url, target = f"{mirror.url}/{NAME}", tmp_path / NAME
        return Transfer(url, target, most_bytes=most_bytes, retries=retries, timeout=5, reporter=listener)

    return make


def test_a_whole_file_lies_in_its_part(transfer: Make, mirror: Mirror, tmp_path: Path, waits: list[float]) -> None:
    fetched = transfer().run()
    assert fetched.part == tmp_path / f"{NAME}.part"
    assert fetched.part.read_bytes() == CONTENT
    assert (fetched.size, fetched.sha256) == (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    assert (fetched.origin.size, fetched.origin.last_modified) == (len(CONTENT), MODIFIED)
    assert not fetched.resumed
    assert transfer().run().resumed  # nothing is missing
    assert (mirror.paths, waits) == ([NAME], [])


def test_a_cut_transfer_goes_on(transfer: Make, mirror: Mirror, listener: Recorder, waits: list[float]) -> None:
    mirror.faults[NAME] = [Fault(cut=1000)]
    fetched = transfer().run()
    assert fetched.resumed
    assert fetched.part.read_bytes() == CONTENT
    assert mirror.sent[NAME] == len(CONTENT)
    assert waits == [1.0]
    cut = f"{NAME}: the connection was cut after 1,000 of {len(CONTENT):,} bytes; trying again in 1 s"
    assert listener.said == [cut]


def test_waits_double_up_to_a_bound_or_are_what_the_server_asks(
    transfer: Make, mirror: Mirror, tmp_path: Path, waits: list[float]
) -> None:
    mirror.faults[NAME] = [Fault(status=503)] * 7
    transfer(retries=7).run()
    assert waits == [1, 2, 4, 8, 16, 30, 30]
    waits.clear()
    (tmp_path / f"{NAME}.part").unlink()
    mirror.faults[NAME] = [Fault(status=503, headers={"Retry-After": "7"})]
    transfer().run()
    assert waits == [7]


def test_giving_up_tells_attempts_and_what_is_kept(transfer: Make, mirror: Mirror, tmp_path: Path) -> None:
    mirror.faults[NAME] = [Fault(cut=1000)]
    with pytest.raises(DataError, match=r"cut after 1,000 of .* bytes \(1 attempt\)") as caught:
        transfer(retries=0).run()
    assert f"The 1,000 bytes in {tmp_path / NAME}.part are kept." in (caught.value.hint or "")


def test_more_than_is_allowed_is_refused(transfer: Make, mirror: Mirror) -> None:
    with pytest.raises(DataError, match=rf"the file has {len(CONTENT):,} bytes, and 999 bytes are left of --max-size"):
        transfer(most_bytes=999).run()
    mirror.faults[NAME] = [Fault(length=-1)]
    with pytest.raises(DataError, match="the file is larger, and 999 bytes are left of --max-size"):
        transfer(most_bytes=999).run()


def test_a_damaged_file_is_removed(transfer: Make, mirror: Mirror, tmp_path: Path) -> None:
    mirror.files[NAME] = b"<html>"
    with pytest.raises(DataError, match="all 6 bytes arrived, but the file is damaged: Not a gzipped file"):
        transfer().run()
    assert not list(tmp_path.iterdir())
