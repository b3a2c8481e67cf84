"""Files behind addresses: copied once, again when they change."""

import contextlib
import functools
import gzip
import http.server
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stages.artifacts.copies import COPIES, NOTE, check_copy
from stages.artifacts.errors import DataError
from stages.preprocess.sources.remote import address_of, fetch, listed

Run = Callable[..., Any]
LOG = b"user_id,item_id,timestamp\nu,B,2\nu,A,1\n"
META = b'{"item_id": "A", "name": "saw"}\n'


class _Server(http.server.SimpleHTTPRequestHandler):
    asked: list[tuple[str, int]]

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        self.asked.append((self.path, int(code)))

    def send_header(self, keyword: str, value: str) -> None:
        cut = self.path.endswith("cut.csv") and keyword == "Content-Length"
        if not (self.path.endswith("endless.csv") and keyword == "Content-Length"):
            super().send_header(keyword, "1000000" if cut else value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "log.csv.gz").write_bytes(gzip.compress(LOG))
    (folder / "meta [1].jsonl").write_bytes(META)
    return folder


@pytest.fixture
def served(folder: Path) -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """The address of the folder, and what was asked of it."""
    handler = type("Handler", (_Server,), {"asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", handler.asked
        finally:
            server.shutdown()
            thread.join()


def test_over_http(run: Run, served: tuple[str, list[tuple[str, int]]], folder: Path) -> None:
    address, asked = served
    options = {"items": [f"{address}/meta%20%5B1%5D.jsonl"], "k_core": 0}
    made = run(f"{address}/log.csv.gz", **options)
    assert made.users == {"u": ["A", "B"]}
    assert made.items["A"] == {"name": "saw"}
    assert [code for _, code in asked] == [200, 200]
    # As the command line hands it over, and unchanged: nothing is sent again.
    assert run(Path(f"{address}/log.csv.gz"), **options).users == made.users
    assert [code for _, code in asked[2:]] == [304, 304]
    (folder / "log.csv.gz").write_bytes(gzip.compress(LOG + b"u,C,3\n"))
    os.utime(folder / "log.csv.gz", (2_000_000_000, 2_000_000_000))
    assert run(f"{address}/log.csv.gz", **options).users == {"u": ["A", "B", "C"]}


def test_a_published_split_over_http(run: Run, served: tuple[str, Any], folder: Path) -> None:
    for n, part in enumerate(("train", "valid", "test")):
        text = f"user_id,parent_asin,rating,timestamp\nu,{part},5,{n}\n"
        (folder / f"T.{part}.csv").write_text(text)
    made = run(*(f"{served[0]}/T.{part}.csv" for part in ("train", "valid", "test")))
    assert (made.users["u"], made.parts["u"]) == (["train", "valid", "test"], (1, 2))


def test_what_cannot_be_fetched(run: Run, served: tuple[str, Any], folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot fetch http://.*/none\.csv: there is no such file .HTTP 404"):
        run(f"{served[0]}/none.csv")
    with pytest.raises(DataError, match=r"cannot fetch http://127\.0\.0\.1:1/log\.csv"):
        run("http://127.0.0.1:1/log.csv")
    (folder / "cut.csv").write_bytes(LOG)
    with pytest.raises(DataError, match=r"cannot fetch http://.*/cut\.csv: the connection broke off before"):
        run(f"{served[0]}/cut.csv")
    (folder / "endless.csv").write_bytes(LOG * 1000)
    for name in ("endless.csv", "log.csv.gz"):  # the first says nothing of its length
        with pytest.raises(DataError, match=rf"cannot fetch http://.*/{name}: it has more than the 30 bytes"):
            run(f"{served[0]}/{name}", max_size=30e-9)
    with pytest.raises(DataError, match=r"cannot fetch http://.*File name too long"):
        run(f"{served[0]}/{'x' * 300}")
    assert not list((tmp_path / "work" / COPIES).rglob("*.csv*"))


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_a_damaged_copy_is_fetched_again(
    run: Run, served: tuple[str, Any], folder: Path, tmp_path: Path, scheme: str
) -> None:
    (folder / "plain.csv").write_bytes(LOG)
    address = f"{served[0] if scheme == 'http' else f'file://{folder}'}/plain.csv"
    copy = fetch(address, tmp_path / "work", 10**6)
    note = copy.with_name(copy.name + NOTE)
    for damaged in (copy, note):
        content = bytearray(damaged.read_bytes())
        times = damaged.stat()
        for place in range(0, len(content), 7):
            content[place] ^= 1
            damaged.write_bytes(content)
            os.utime(damaged, ns=(times.st_atime_ns, times.st_mtime_ns))  # as a disk that lost a bit
            with pytest.raises(DataError, match="is damaged"):
                check_copy(damaged)
            assert fetch(address, tmp_path / "work", 10**6).read_bytes() == LOG
            check_copy(damaged)
            content = bytearray(damaged.read_bytes())
    assert run(address, k_core=0).users == {"u": ["A", "B"]}


def test_a_damaged_copy_of_what_is_gone_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "plain.csv").write_bytes(LOG)
    copy = fetch(f"file://{folder}/plain.csv", tmp_path / "work", 10**6)
    copy.write_bytes(LOG.replace(b"u,A", b"v,A"))
    (folder / "plain.csv").unlink()
    with pytest.raises(DataError, match="there is no such file"):
        fetch(f"file://{folder}/plain.csv", tmp_path / "work", 10**6)


def test_names_in_addresses_are_no_paths(run: Run, served: tuple[str, Any], folder: Path, tmp_path: Path) -> None:
    (folder / "a").mkdir()
    (folder / "a" / "b.csv").write_bytes(LOG)
    assert run(f"{served[0]}/a%2Fb.csv", k_core=0).users == {"u": ["A", "B"]}
    [copy] = (tmp_path / "work" / COPIES).rglob("*.csv")
    assert copy.name == "a_b.csv"
    with pytest.raises(DataError, match="index: there is no column"):  # the server's list of its files
        run(f"{served[0]}/%2e%2e", k_core=0)


def test_storage_of_arrow(run: Run, folder: Path, tmp_path: Path) -> None:
    """The way s3:// and gs:// go as well; only the storage differs."""
    address = f"file://{folder}/log.csv.gz"
    assert run(address, k_core=0).users == {"u": ["A", "B"]}
    copy = fetch(address, tmp_path / "work", 10**6)
    before = copy.stat().st_mtime_ns
    assert fetch(address, tmp_path / "work", 10**6).stat().st_mtime_ns == before
    (folder / "log.csv.gz").write_bytes(gzip.compress(LOG + b"u,C,3\n"))
    assert run(address, k_core=0).users == {"u": ["A", "B", "C"]}
    (folder / "more.csv").write_bytes(LOG)
    assert run(f"file://{folder}/*.csv*", k_core=0).users == {"u": ["A", "B", "C"]}
    with pytest.raises(DataError, match=r"cannot fetch file://.*there is no such file"):
        run(f"file://{folder}/none.csv")


def test_a_storage_of_fsspec(tmp_path: Path) -> None:
    import fsspec

    storage = fsspec.filesystem("memory")
    storage.pipe("/shop/log.csv", LOG)
    assert listed("memory://shop/*.csv") == ["memory://shop/log.csv"]
    copy = fetch("memory://shop/log.csv", tmp_path, 10**6)
    before = copy.stat().st_mtime_ns
    assert copy.read_bytes() == LOG
    assert fetch("memory://shop/log.csv", tmp_path, 10**6).stat().st_mtime_ns == before
    storage.pipe("/shop/log.csv", LOG * 2)
    assert fetch("memory://shop/log.csv", tmp_path, 10**6).read_bytes() == LOG * 2
    with pytest.raises(DataError, match=r"cannot fetch memory://shop/none\.csv: there is no such file"):
        fetch("memory://shop/none.csv", tmp_path, 10**6)


def test_a_storage_whose_package_is_missing_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "adlfs", None)
    with pytest.raises(DataError, match=r"cannot fetch az://box/log\.csv: .*adlfs"):
        fetch("az://box/log.csv", tmp_path, 10**6)


def test_a_connection_that_is_reset_is_not_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def reset() -> None:
            connection, _ = server.accept()
            connection.recv(1 << 16)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
            time.sleep(0.1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()

        threading.Thread(target=reset, daemon=True).start()
        address = f"http://127.0.0.1:{server.getsockname()[1]}/log.csv"
        with pytest.raises(DataError) as caught:
            fetch(address, tmp_path, 10**6)
    assert f"cannot fetch {address}: " in str(caught.value)
    assert "reset" in str(caught.value) or "broke off" in str(caught.value)
    assert not list(tmp_path.rglob("*.csv*"))


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("s3://bucket/a/b.csv", "s3://bucket/a/b.csv"),
        ("s3:/bucket/a/b.csv", "s3://bucket/a/b.csv"),
        ("https:/host/x", "https://host/x"),
        ("gs://b/x", "gs://b/x"),
        ("abfs:/box/x", "abfs://box/x"),
        ("file:/tmp/x", "file:///tmp/x"),
        ("C:/x", None),
        ("logs/2024:/x", None),
        ("s3", None),
    ],
)
def test_addresses(name: str, address: str | None) -> None:
    assert address_of(name) == address
    with contextlib.suppress(ValueError):
        assert address_of(Path(name)) == address
