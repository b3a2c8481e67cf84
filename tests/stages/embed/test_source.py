import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.fingerprints import Fingerprints
from stages.embed import source
from stages.embed.source import DEFAULT_MODEL, OFFLINE_SHA256, content_files, find_source, packaged_default

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def fingerprints(tmp_path: Path) -> Fingerprints:
    return Fingerprints(tmp_path)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    asked: list[object] = []

    def refuse(*arguments: object, **_: object) -> None:
        asked.append(arguments)
        raise socket.gaierror("no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    return asked


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    cache = tmp_path / "hub"
    cache.mkdir()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    return cache


def fill_cache(cache: Path, name: str, folder: Path) -> Path:
    root = cache / ("models--" + name.replace("/", "--"))
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text(COMMIT)
    shutil.copytree(folder, root / "snapshots" / COMMIT)
    return root / "snapshots" / COMMIT


def test_the_files_that_decide_the_vectors() -> None:
    files = [
        "README.md", ".gitattributes", "config.json", "modules.json", "model.safetensors", "pytorch_model.bin",
        "pytorch_model.bin.index.json", "tf_model.h5", "onnx/model.onnx", "onnx/config.json", "tokenizer.json",
        "vocab.txt", "tokenizer_config.json", "1_Pooling/config.json", "2_Dense/pytorch_model.bin", "train_script.py",
        "data_config.json", "spiece.model", ".cache/x.json", "modeling_own.py",
    ]  # fmt: skip
    assert content_files(files) == [
        "1_Pooling/config.json", "2_Dense/pytorch_model.bin", "config.json", "model.safetensors", "modeling_own.py",
        "modules.json", "spiece.model", "tokenizer.json", "tokenizer_config.json",
    ]  # fmt: skip
    assert content_files(["vocab.txt", "pytorch_model.bin"]) == ["pytorch_model.bin", "vocab.txt"]


@pytest.mark.parametrize("name", [DEFAULT_MODEL, "all-MiniLM-L6-v2"])
def test_the_default_comes_from_the_package_without_network(
    name: str, fingerprints: Fingerprints, no_network: list[object]
) -> None:
    pytest.importorskip(source.OFFLINE_PACKAGE)
    found = find_source(name, fingerprints)
    assert (found.name, found.origin) == (DEFAULT_MODEL, "package")
    assert fingerprints.of(found.folder / "model.safetensors") == OFFLINE_SHA256
    assert not no_network


def test_package_folder_and_hub_cache_have_one_fingerprint(
    fingerprints: Fingerprints, hub_cache: Path, monkeypatch: pytest.MonkeyPatch, no_network: list[object]
) -> None:
    pytest.importorskip(source.OFFLINE_PACKAGE)
    package = packaged_default()
    assert package
    cached = fill_cache(hub_cache, DEFAULT_MODEL, package)
    # The hub's copy differs in what says nothing about vectors.
    config = json.loads((cached / "config.json").read_text())
    (cached / "config.json").write_text(json.dumps({**config, "transformers_version": "9.9"}, indent=8))
    (cached / "vocab.txt").unlink()
    (cached / "README.md").write_text("other words")
    expected = find_source(DEFAULT_MODEL, fingerprints).fingerprint
    monkeypatch.setattr(source, "packaged_default", lambda: None)
    found = find_source("all-MiniLM-L6-v2", fingerprints)
    assert (found.origin, found.folder, found.fingerprint) == ("hub", cached, expected)
    (cached / "config.json").write_text(json.dumps({**config, "hidden_act": "relu"}))
    assert find_source(DEFAULT_MODEL, fingerprints).fingerprint != expected
    assert not no_network


def test_a_folder_is_named_without_its_path(tiny_model: Path, fingerprints: Fingerprints) -> None:
    found = find_source(str(tiny_model), fingerprints)
    assert (found.name, found.origin) == ("tiny", "folder")
    assert str(tiny_model.parent) not in found.name


def test_no_network_names_the_remedies(
    fingerprints: Fingerprints,
    hub_cache: Path,
    no_network: list[object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(source, "packaged_default", lambda: None)
    with pytest.raises(DataError) as caught:
        find_source(DEFAULT_MODEL, fingerprints)
    for hint in ("cocorec[offline]", "path of a folder", "hf download", "HTTPS_PROXY"):
        assert hint in str(caught.value)
    with pytest.raises(DataError) as caught:
        find_source("sentence-transformers/sentence-t5-base", fingerprints)
    assert "cocorec[offline]" not in str(caught.value)
    assert len(no_network) <= 4  # no minute of retries


@pytest.mark.parametrize("model", ["/no/such/folder", "./nothing", "a/b/c", "two words/model"])
def test_what_cannot_be_a_name(model: str, fingerprints: Fingerprints, no_network: list[object]) -> None:
    with pytest.raises(UsageError, match="--model"):
        find_source(model, fingerprints)
    assert not no_network


def test_a_file_or_an_empty_folder_is_no_model(tmp_path: Path, fingerprints: Fingerprints) -> None:
    (tmp_path / "model.bin").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="not a folder"):
        find_source(str(tmp_path / "model.bin"), fingerprints)
    with pytest.raises(UsageError, match="holds no weights"):
        find_source(str(tmp_path / "empty"), fingerprints)


class _Hub(BaseHTTPRequestHandler):
    """As much of a model hub as a download asks for."""

    folder: Path
    served: list[str]

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = self.path.split("?")[0]
        files = sorted(p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*") if p.is_file())
        if path.startswith("/api/models/our/tiny"):
            listing = {"id": "our/tiny", "sha": COMMIT, "siblings": [{"rfilename": name} for name in files]}
            if "/tree/" in path:
                sizes = [(name, (self.folder / name).stat().st_size) for name in files]
                listing = [{"type": "file", "path": n, "size": size, "oid": n} for n, size in sizes]
            content = json.dumps(listing).encode()
            self._send(200, content, {"Content-Type": "application/json"}, body)
        elif path.startswith("/our/tiny/resolve/"):
            name = path.split("/", 5)[5]
            if body:
                self.served.append(name)
            self._send(200, (self.folder / name).read_bytes(), {"ETag": f'"{name.encode().hex()}"'}, body)
        else:
            self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"}, body)

    def _send(self, status: int, content: bytes, headers: dict[str, str], body: bool) -> None:
        self.send_response(status)
        for key, value in {**headers, "X-Repo-Commit": COMMIT, "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def hub(tiny_model: Path, tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    folder = tmp_path / "published"
    shutil.copytree(tiny_model, folder)
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").write_bytes(b"large")
    (folder / "pytorch_model.bin").write_bytes(b"large")
    handler = type("Hub", (_Hub,), {"folder": folder, "served": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler.served
    server.shutdown()
    thread.join()


def find_in_new_process(model: str, endpoint: str, cache: Path) -> subprocess.CompletedProcess[str]:
    script = """
import sys
from pathlib import Path
from stages.artifacts.errors import CocorecError
from stages.artifacts.fingerprints import Fingerprints
from stages.embed.source import find_source
try:
    found = find_source(sys.argv[1], Fingerprints(Path(sys.argv[2])))
except CocorecError as error:
    print(error)
    sys.exit(error.exit_code)
print(found.origin, found.name, found.fingerprint)
"""
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(cache), "NO_PROXY": "127.0.0.1"}
    environment.pop("HF_HUB_OFFLINE", None)
    return subprocess.run(
        [sys.executable, "-c", script, model, str(cache)], env=environment, capture_output=True, text=True, timeout=120
    )


def test_downloads_from_a_hub_only_what_is_needed_and_once(
    hub: tuple[str, list[str]], tiny_model: Path, tmp_path: Path, fingerprints: Fingerprints
) -> None:
    endpoint, served = hub
    run = find_in_new_process("our/tiny", endpoint, tmp_path / "home")
    expected = find_source(str(tiny_model), fingerprints).fingerprint
    assert run.stdout.split() == ["hub", "our/tiny", expected], run.stdout + run.stderr
    assert "model.safetensors" in served
    assert "pytorch_model.bin" not in served
    assert "onnx/model.onnx" not in served
    fetched = len(served)
    again = find_in_new_process("our/tiny", "http://127.0.0.1:9", tmp_path / "home")
    assert again.stdout.split() == ["hub", "our/tiny", expected], again.stdout + again.stderr
    assert len(served) == fetched


def test_a_hub_that_has_no_such_model(hub: tuple[str, list[str]], tmp_path: Path) -> None:
    run = find_in_new_process("our/tinny", hub[0], tmp_path / "home")
    assert run.returncode == UsageError.exit_code, run.stderr
    assert "no such model" in run.stdout
