import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

from stages.artifacts import names
from stages.artifacts.atomic import atomic_path, read_json, write_json
from stages.artifacts.digest import check_digest, fingerprint, has_digest
from stages.artifacts.errors import DataError
from stages.artifacts.fingerprints import Fingerprints
from stages.artifacts.lineage import KEY, Lineage, read_lineage
from stages.artifacts.status import workdir_status
from stages.artifacts.tables import write_table

TABLE = pa.table({"item": pa.array([1, 2, 3], pa.int32()), "item_id": ["self-sha256:", "self-sha256:x", "é"]})
DIGEST = re.compile(rb"self-sha256:([0-9a-f]{64})")


def with_digest(folder: Path, suffix: str) -> Path:
    """A small artifact of each kind."""
    path = folder / f"a{suffix}"
    lineage = Lineage("preprocess", {"view": "self-sha256:"}, {})
    if suffix == ".parquet":
        write_table(path, TABLE, lineage)
    elif suffix == ".json":
        write_json(path, {"é": 1, KEY: lineage.metadata()})
    else:
        with atomic_path(path) as temporary:
            save_file({"x": np.arange(40.0)}, temporary, metadata={KEY: lineage.metadata_text()})
    return path


@pytest.fixture(params=[".parquet", ".json", ".safetensors"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return with_digest(tmp_path, request.param)


def test_the_digest_is_what_its_note_says(path: Path) -> None:
    content = path.read_bytes()
    [digits] = set(DIGEST.findall(content))
    assert b"with zeros for the 64 digits" in content
    assert hashlib.sha256(content.replace(digits, b"0" * 64)).hexdigest().encode() == digits
    assert has_digest(path)
    check_digest(path)
    assert fingerprint(path) == "sha256:" + hashlib.sha256(content).hexdigest()
    assert read_lineage(path) == Lineage("preprocess", {"view": "self-sha256:"}, {})


def test_every_byte_counts(path: Path) -> None:
    content = path.read_bytes()
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=re.escape(str(path))):
            check_digest(path)
            read_lineage(path)  # finds what makes the metadata unreadable, and with them the digest
    path.write_bytes(content)
    check_digest(path)


def test_equal_content_has_equal_bytes(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    for suffix in (".parquet", ".json", ".safetensors"):
        one, two = (with_digest(tmp_path / folder, suffix) for folder in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_files_of_other_tools_pass(tmp_path: Path) -> None:
    pq.write_table(TABLE, tmp_path / "a.parquet")
    (tmp_path / "a.json").write_text("{}")
    save_file({"x": np.zeros(2)}, tmp_path / "a.safetensors")
    for name in ("a.csv", "empty.parquet", "empty.safetensors", "empty.json"):
        (tmp_path / name).write_bytes(b"self-sha256:" if name == "a.csv" else b"")
    for file in tmp_path.iterdir():
        assert not has_digest(file)
        check_digest(file)
        assert fingerprint(file) == "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest()


def test_fingerprints_and_json_refuse_a_file_that_was_changed(tmp_path: Path) -> None:
    write_json(tmp_path / names.METRICS, {"ndcg": 0.1, KEY: Lineage("evaluate", {}, {}).metadata()})
    text = (tmp_path / names.METRICS).read_text()
    (tmp_path / names.METRICS).write_text(text.replace("0.1", "0.9", 1))
    for read in (read_json, Fingerprints(tmp_path).of):
        with pytest.raises(DataError, match=r"metrics\.json is damaged[\s\S]*cocorec evaluate --force"):
            read(tmp_path / names.METRICS)


def test_files_from_before_the_digest_are_read_and_said_to_be_such(tmp_path: Path) -> None:
    lineage = Lineage("preprocess", {}, {})
    old = TABLE.replace_schema_metadata({KEY: lineage.to_json()})
    pq.write_table(old, tmp_path / names.ITEMS, write_page_checksum=True)
    write_table(tmp_path / names.SEQUENCES, TABLE, lineage)
    assert read_lineage(tmp_path / names.ITEMS) == lineage
    states = {status.file: status for status in workdir_status(tmp_path, verify=True)}
    assert states[names.ITEMS].reason == "up to date; older than digests, so only its pages could be verified"
    assert states[names.SEQUENCES].reason == "up to date"


def test_a_file_of_another_stage_under_this_name(tmp_path: Path) -> None:
    write_table(tmp_path / names.CODES, TABLE, Lineage("embed", {}, {}))
    with pytest.raises(DataError, match=r"codes\.parquet is a file that `cocorec embed` made[\s\S]*quantize --force"):
        read_lineage(tmp_path / names.CODES)
    [found] = [status for status in workdir_status(tmp_path) if status.file == names.CODES]
    assert found.state == "damaged"


def test_metadata_are_json_of_the_lineage_and_two_fields() -> None:
    lineage = Lineage("embed", {"b": 1}, {}, {"c": 2})
    metadata = lineage.metadata()
    assert json.loads(lineage.metadata_text()) == metadata
    assert list(metadata)[-2:] == ["digest", "digest_of"]
    assert {key: metadata[key] for key in list(metadata)[:-2]} == json.loads(lineage.to_json())


def test_a_column_that_looks_like_a_digest_takes_no_place(tmp_path: Path) -> None:
    path = tmp_path / "foreign.parquet"
    pq.write_table(pa.table({"self-sha256:" + "a" * 64: [1]}), path)
    assert not has_digest(path)
    check_digest(path)
