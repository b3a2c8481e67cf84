import json
from pathlib import Path

import pyarrow as pa
import pytest

from stages.artifacts import names
from stages.artifacts.atomic import write_json
from stages.artifacts.fingerprints import Fingerprints
from stages.artifacts.lineage import KEY, RAW, Lineage
from stages.artifacts.status import ArtifactStatus, workdir_status
from stages.artifacts.tables import write_table


def _table(path: Path, lineage: Lineage, content: int = 1) -> None:
    write_table(path, pa.table({"item": pa.array(range(content), pa.int32())}), lineage)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    path = tmp_path / "raw" / "log.csv"
    path.parent.mkdir()
    path.write_text("a,b\n")
    return path


@pytest.fixture
def workdir(tmp_path: Path, raw: Path) -> Path:
    """The first two stages have run."""
    workdir = tmp_path / "w"
    workdir.mkdir()
    prints = Fingerprints(workdir)
    lineage = Lineage("preprocess", {"k_core": 5}, {f"{RAW}log.csv": prints.of(raw)})
    _table(workdir / names.ITEMS, lineage, 3)
    _table(workdir / names.SEQUENCES, lineage, 2)
    lineage = Lineage(
        "embed", {"views": ["title"], "model": "org/mini"}, {names.ITEMS: prints.of(workdir / names.ITEMS)}
    )
    _table(workdir / names.EMBEDDINGS, lineage, 4)
    return workdir


def _states(workdir: Path, **settings) -> dict[str, ArtifactStatus]:
    return {status.file: status for status in workdir_status(workdir, **settings)}


def test_a_folder_that_does_not_exist(tmp_path):
    states = _states(tmp_path / "nowhere")
    assert {status.state for status in states.values()} == {"missing"}
    assert states[names.EMBEDDINGS].reason == "run `cocorec embed`"
    assert not (tmp_path / "nowhere").exists()


def test_fresh_and_missing(workdir):
    states = _states(workdir)
    assert states[names.ITEMS].state == "fresh"
    assert states[names.ITEMS].reason == "up to date; log.csv not compared"
    assert states[names.EMBEDDINGS].state == "fresh"
    assert states[names.EMBEDDINGS].reason == "up to date"
    assert states[names.EMBEDDINGS].size == (workdir / names.EMBEDDINGS).stat().st_size
    assert states[names.CODES].state == "missing"
    assert states[names.CODES].reason == "run `cocorec quantize`, for a model that reads codes"
    assert states[names.CODES].size is None


def test_a_changed_raw_input_makes_all_that_follows_stale(workdir, raw):
    assert _states(workdir, raw_folders=[raw.parent])[names.ITEMS].reason == "up to date"
    raw.write_text("c,d\n")
    states = _states(workdir, raw_folders=[raw.parent])
    assert (states[names.ITEMS].state, states[names.ITEMS].reason) == ("stale", "log.csv has changed since")
    assert (states[names.EMBEDDINGS].state, states[names.EMBEDDINGS].reason) == ("stale", "items.parquet is stale")
    assert _states(workdir)[names.ITEMS].state == "fresh"


def test_a_changed_artifact_makes_what_was_made_of_it_stale(workdir):
    _table(workdir / names.ITEMS, Lineage("preprocess", {}, {}), 9)
    states = _states(workdir)
    assert states[names.ITEMS].state == "fresh"
    assert states[names.EMBEDDINGS].state == "stale"
    assert states[names.EMBEDDINGS].reason == "items.parquet has changed since"


def test_options_that_differ(workdir):
    states = _states(workdir, options={"preprocess": {"k_core": 5}, "embed": {"views": ["title", "brand"]}})
    assert states[names.ITEMS].state == "fresh"
    assert states[names.EMBEDDINGS].state == "stale"
    assert states[names.EMBEDDINGS].reason == 'option views was ["title"], is ["title", "brand"]'
    states = _states(workdir, options={"preprocess": {"k_core": 3}})
    assert states[names.ITEMS].reason == states[names.SEQUENCES].reason == "option k_core was 5, is 3"
    assert states[names.EMBEDDINGS].reason == "items.parquet is stale"


@pytest.mark.parametrize(
    ("options", "state"),
    [
        ({"views": None, "unknown": 3}, "fresh"),
        ({"views": ("title",)}, "fresh"),
        ({"model": "org/mini"}, "fresh"),
        ({"model": "mini"}, "fresh"),
        ({"model": "other/mini"}, "stale"),
        ({"model": "mini-2"}, "stale"),
    ],
)
def test_which_options_count(workdir, options, state):
    assert _states(workdir, options={"embed": options})[names.EMBEDDINGS].state == state


def test_defaults_count_only_where_the_option_mattered(workdir):
    lineage = Lineage("embed", {"levels": 8, "rating_column": None}, {})
    _table(workdir / names.EMBEDDINGS, lineage)
    same = {"embed": {"levels": 8, "rating_column": "rating"}}
    assert _states(workdir, defaults=same)[names.EMBEDDINGS].state == "fresh"
    assert _states(workdir, options=same)[names.EMBEDDINGS].reason == 'option rating_column was null, is "rating"'
    other = {"embed": {"levels": 4}}
    assert _states(workdir, defaults=other)[names.EMBEDDINGS].reason == "option levels was 8, is 4"


def test_codebooks_that_were_given_decide_the_options(workdir, tmp_path):
    (tmp_path / "quantizer.safetensors").write_bytes(b"other bytes, the same tensors")
    lineage = Lineage("quantize", {"levels": 8}, {f"{RAW}quantizer.safetensors": "sha256:0"})
    _table(workdir / names.CODES, lineage)
    settings = {"defaults": {"quantize": {"levels": 4}}, "raw_folders": [tmp_path]}
    assert _states(workdir, **settings)[names.CODES].state == "fresh"
    assert _states(workdir, options={"quantize": {"levels": 4}})[names.CODES].state == "stale"


def test_a_folder_given_as_an_option_is_known_by_its_name(workdir, tmp_path):
    (tmp_path / "somewhere" / "mini").mkdir(parents=True)
    options = {"embed": {"model": str(tmp_path / "somewhere" / "mini")}}
    assert _states(workdir, options=options)[names.EMBEDDINGS].state == "fresh"


def test_an_input_that_is_not_here_is_not_held_against_the_artifact(workdir):
    (workdir / names.ITEMS).unlink()
    status = _states(workdir)[names.EMBEDDINGS]
    assert (status.state, status.reason) == ("fresh", "not compared, because not here: items.parquet")


def test_an_artifact_of_another_tool(workdir):
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"item": [1]}), workdir / names.CODES)
    status = _states(workdir)[names.CODES]
    assert (status.state, status.reason, status.version) == ("fresh", "made by another tool, taken as it is", None)


@pytest.mark.parametrize("verify", [False, True])
def test_a_truncated_file_is_damaged_and_what_was_made_of_it_is_stale(workdir, verify):
    path = workdir / names.ITEMS
    path.write_bytes(path.read_bytes()[:-20])
    states = _states(workdir, verify=verify)
    assert states[names.ITEMS].state == "damaged"
    assert str(path) in states[names.ITEMS].reason
    assert states[names.EMBEDDINGS].state == "stale"


def test_verify_finds_a_flipped_byte_whose_time_stamp_lies(workdir):
    import os

    path = workdir / names.ITEMS
    stat, content = path.stat(), bytearray(path.read_bytes())
    with path.open("r+b") as file:
        file.seek(30)
        file.write(bytes([content[30] ^ 1]))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert _states(workdir)[names.ITEMS].state == "fresh"
    states = _states(workdir, verify=True)
    assert states[names.ITEMS].state == "damaged"
    assert states[names.EMBEDDINGS].state == "stale"


def test_json_artifacts_count_as_well(workdir):
    lineage = Lineage("evaluate", {"split": "test"}, {names.SEQUENCES: "sha256:0"})
    write_json(workdir / names.METRICS, {KEY: json.loads(lineage.to_json())})
    status = _states(workdir)[names.METRICS]
    assert (status.state, status.reason) == ("stale", "sequences.parquet has changed since")


def test_looking_reads_no_more_than_footers(workdir, monkeypatch):
    _states(workdir)
    import hashlib

    def refuse(*args: object) -> None:
        raise AssertionError("hashed again")

    monkeypatch.setattr(hashlib, "file_digest", refuse)
    assert _states(workdir)[names.EMBEDDINGS].state == "fresh"


def test_a_recognised_format_is_what_auto_asks_for(workdir, raw):
    prints = Fingerprints(workdir)
    lineage = Lineage("preprocess", {"format": "table", "split": "temporal"}, {f"{RAW}log.csv": prints.of(raw)})
    _table(workdir / names.ITEMS, lineage, 3)

    def state(**options: str) -> str:
        return _states(workdir, options={"preprocess": options})[names.ITEMS].state

    assert (state(format="auto"), state(format="table"), state(format="movielens")) == ("fresh", "fresh", "stale")
    assert state(split="auto") == "stale"  # a split of another kind was asked for


def test_inputs_are_compared_by_their_names(workdir, raw):
    prints = Fingerprints(workdir)
    files = {"inputs": ["log.csv", "beside.csv"], "items": []}
    _table(workdir / names.ITEMS, Lineage("preprocess", files, {f"{RAW}log.csv": prints.of(raw)}), 3)
    other = raw.with_name("other.csv")
    other.write_text("a,b\n")

    def status(*inputs: Path) -> ArtifactStatus:
        return _states(workdir, options={"preprocess": {"inputs": list(inputs)}})[names.ITEMS]

    assert [status(*inputs).state for inputs in ([raw], [raw.parent], [raw.parent / "*.csv"])] == ["fresh"] * 3
    assert status(raw, other).state == "stale"
    assert status(other).reason.startswith('option inputs was ["log.csv", "beside.csv"], is [')
