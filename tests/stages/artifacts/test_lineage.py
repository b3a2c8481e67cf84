import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

from stages import __version__
from stages.artifacts import names
from stages.artifacts.atomic import write_json
from stages.artifacts.errors import DataError
from stages.artifacts.fingerprints import Fingerprints
from stages.artifacts.lineage import (
    CONTRACT_VERSION,
    KEY,
    Lineage,
    difference,
    fresh_lineage,
    read_lineage,
    require_consistent,
)
from stages.artifacts.tables import write_table

TABLE = pa.table({"x": [1, 2, 3]})
LINEAGE = Lineage("embed", {"b": [1, 2], "a": None}, {"items.parquet": "sha256:1"}, {"é": {"n": 1.5}})


def test_facts_keep_their_order() -> None:
    facts = {"mean": 1, "low": 0, "high": 2}
    again = Lineage.from_json(Lineage("evaluate", {}, {}, facts).to_json(), Path("x"))
    assert list(again.facts) == ["mean", "low", "high"]


def test_json_round_trip_and_lineages_of_equal_options_are_equal_texts() -> None:
    text = LINEAGE.to_json()
    assert Lineage.from_json(text, Path("x")) == LINEAGE
    other = Lineage("embed", {"a": None, "b": [1, 2]}, {"items.parquet": "sha256:1"}, {"é": {"n": 1.5}})
    assert other.to_json() == text
    assert json.loads(text)["version"] == __version__
    assert "\n" not in text


def test_carried_by_every_kind_of_artifact(tmp_path: Path) -> None:
    write_table(tmp_path / "a.parquet", TABLE, LINEAGE)
    save_file({"x": np.zeros(2)}, tmp_path / "a.safetensors", metadata={KEY: LINEAGE.to_json()})
    write_json(tmp_path / "a.json", {KEY: json.loads(LINEAGE.to_json()), "value": 1})
    for suffix in ("parquet", "safetensors", "json"):
        assert read_lineage(tmp_path / f"a.{suffix}") == LINEAGE


def test_files_of_other_tools_have_none(tmp_path: Path) -> None:
    pq.write_table(TABLE, tmp_path / "a.parquet")
    save_file({"x": np.zeros(2)}, tmp_path / "a.safetensors")
    write_json(tmp_path / "a.json", [1])
    for suffix in ("parquet", "safetensors", "json"):
        assert read_lineage(tmp_path / f"a.{suffix}") is None


@pytest.mark.parametrize("name", ["codes.parquet", "quantizer.safetensors"])
def test_damaged_files_name_the_stage(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"not at all")
    with pytest.raises(DataError, match=r"not a readable [\s\S]*cocorec quantize --force"):
        read_lineage(tmp_path / name)
    (tmp_path / name).unlink()
    with pytest.raises(DataError, match="does not exist"):
        read_lineage(tmp_path / name)


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', '{"stage": "embed"}'])
def test_damaged_lineage(text: str) -> None:
    with pytest.raises(DataError, match=r"a\.parquet: damaged lineage"):
        Lineage.from_json(text, Path("a.parquet"))


def test_later_contract_is_refused_with_the_version_that_reads_it() -> None:
    later = json.loads(LINEAGE.to_json()) | {"contract": CONTRACT_VERSION + 1, "version": "9.1"}
    with pytest.raises(DataError, match=rf"version {CONTRACT_VERSION + 1} .*cocorec 9\.1[\s\S]*Install cocorec 9\.1"):
        Lineage.from_json(json.dumps(later), Path("a.parquet"))


@pytest.mark.parametrize(
    ("options", "inputs", "expected"),
    [
        ({"b": (1, 2), "a": None}, {"items.parquet": "sha256:1"}, None),
        ({"b": [1, 2]}, {"items.parquet": "sha256:1"}, None),  # absent is null
        ({"b": [2, 1], "a": None}, {"items.parquet": "sha256:1"}, "option b was [1, 2], is [2, 1]"),
        ({"b": [1, 2], "c": 0}, {"items.parquet": "sha256:1"}, "option c was None, is 0"),
        ({"b": [1, 2]}, {"items.parquet": "sha256:2"}, "items.parquet has changed since"),
        ({"b": [1, 2]}, {}, "made with items.parquet"),
        ({"b": [1, 2]}, {"items.parquet": "sha256:1", "raw:log.csv": "x"}, "made without log.csv"),
        (None, {"items.parquet": "sha256:1"}, None),
    ],
)
def test_difference_in_words(options: dict[str, Any] | None, inputs: dict[str, str], expected: str | None) -> None:
    assert difference(LINEAGE, options, inputs) == expected


def test_inputs_that_the_stage_made_itself_are_not_judged() -> None:
    lineage = Lineage("preprocess", {}, {"raw:log.csv": "1", names.ITEMS: "2"})
    assert difference(lineage, {}, {"raw:log.csv": "1"}) is None
    assert difference(lineage, {}, {"raw:log.csv": "2"}) == "log.csv has changed since"


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    """The outputs of preprocess, sequences and histories naming the items they belong to."""
    write_table(tmp_path / names.ITEMS, TABLE, Lineage("preprocess", {"k": 5}, {"raw:log": "1"}))
    inputs = {"raw:log": "1", names.ITEMS: Fingerprints(tmp_path).of(tmp_path / names.ITEMS)}
    write_table(tmp_path / names.SEQUENCES, TABLE, Lineage("preprocess", {"k": 5}, inputs, {"users": 3}))
    write_table(tmp_path / names.HISTORIES, TABLE, Lineage("preprocess", {"k": 5}, inputs, {"users": 3}))
    return tmp_path


def test_fresh_returns_the_lineage_of_the_first_output(workdir: Path) -> None:
    lineage, reason = fresh_lineage(workdir, "preprocess", {"k": 5}, {"raw:log": "1"}, Fingerprints(workdir))
    assert lineage and lineage.facts == {"users": 3}
    assert reason == "up to date"


def test_not_fresh_says_why(workdir: Path) -> None:
    def why(options: dict[str, Any], inputs: dict[str, str]) -> str:
        lineage, reason = fresh_lineage(workdir, "preprocess", options, inputs, Fingerprints(workdir))
        assert lineage is None
        return reason

    assert why({"k": 4}, {"raw:log": "1"}) == "sequences.parquet: option k was 5, is 4"
    assert why({"k": 5}, {"raw:log": "2"}) == "sequences.parquet: log has changed since"
    items = (workdir / names.ITEMS).read_bytes()
    write_table(workdir / names.ITEMS, TABLE.slice(1), Lineage("preprocess", {"k": 5}, {"raw:log": "1"}))
    assert "was made from another items.parquet" in why({"k": 5}, {"raw:log": "1"})
    pq.write_table(TABLE, workdir / names.ITEMS)
    assert why({"k": 5}, {"raw:log": "1"}) == "items.parquet was made by another tool"
    (workdir / names.ITEMS).write_bytes(items[:-5])
    assert "not a readable Parquet file" in why({"k": 5}, {"raw:log": "1"})
    (workdir / names.ITEMS).unlink()
    assert why({"k": 5}, {"raw:log": "1"}) == "items.parquet is missing"


def test_files_that_belong_together_are_accepted(workdir: Path) -> None:
    write_table(
        workdir / names.EMBEDDINGS,
        TABLE,
        Lineage("embed", {}, {names.ITEMS: Fingerprints(workdir).of(workdir / names.ITEMS), "raw:model": "m"}),
    )
    require_consistent(workdir, [names.SEQUENCES, names.EMBEDDINGS], Fingerprints(workdir))
    (workdir / names.ITEMS).unlink()  # a machine that only trains does not need it
    require_consistent(workdir, [names.SEQUENCES, names.EMBEDDINGS], Fingerprints(workdir))


@pytest.mark.parametrize("present", [True, False], ids=["input there", "input absent"])
def test_files_that_do_not_belong_together_are_refused(workdir: Path, present: bool) -> None:
    write_table(workdir / names.EMBEDDINGS, TABLE, Lineage("embed", {}, {names.ITEMS: "sha256:other"}))
    if not present:
        (workdir / names.ITEMS).unlink()
    with pytest.raises(DataError, match=r"embeddings\.parquet was made from another items[\s\S]*cocorec embed"):
        require_consistent(workdir, [names.SEQUENCES, names.EMBEDDINGS], Fingerprints(workdir))


def test_files_of_other_tools_are_accepted_beside_any(workdir: Path) -> None:
    pq.write_table(TABLE, workdir / names.EMBEDDINGS)
    require_consistent(workdir, [names.SEQUENCES, names.EMBEDDINGS], Fingerprints(workdir))


@pytest.mark.parametrize(
    ("name", "hint"), [(names.RANKS, "`cocorec evaluate --force`"), ("a.parquet", "the stage that")]
)
def test_the_hint_about_a_damaged_lineage_names_the_stage(name, hint):
    with pytest.raises(DataError) as caught:
        Lineage.from_json("{", Path("artifacts") / name)
    assert caught.value.hint is not None and hint in caught.value.hint
