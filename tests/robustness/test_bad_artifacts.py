"""Artifacts and options that do not fit, one row a case: what the next stage says, its exit code, nothing changed.

``test_corruption.py`` holds damaged files, ``tests/stages/preprocess/test_bad_input.py`` logs and metadata.
"""

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.artifacts import names
from stages.artifacts.lock import LOCK
from stages.artifacts.pipeline import STAGES


def rewritten(name: str, change: Callable[[dict[str, list[Any]]], Any]) -> Callable[[Path], None]:
    """Writes a table again as another tool would, with other values."""

    def rewrite(artifacts: Path) -> None:
        columns = pq.read_table(artifacts / name).to_pydict()
        change(columns)
        pq.write_table(pa.table(columns), artifacts / name)

    return rewrite


def each(column: str, change: Callable[[int, Any], Any]) -> Callable[[dict[str, list[Any]]], None]:
    """Puts ``change(row, value)`` in the place of each value of a column."""

    def put(columns: dict[str, list[Any]]) -> None:
        columns[column] = [change(row, value) for row, value in enumerate(columns[column])]

    return put


def shortened(columns: dict[str, list[Any]]) -> None:
    for name, values in columns.items():
        columns[name] = values[:-5]


def only(file: str, text: str) -> Callable[[Path], None]:
    """Writes a text file beside the artifacts."""
    return lambda artifacts: (artifacts.parent / file).write_text(text) and None


def nothing(artifacts: Path) -> None:
    pass


class Case(NamedTuple):
    """What is wrong, and what comes of it.

    Attributes:
        prepare: makes it wrong, given the work directory.
        stage: the stage that meets it, with the usual options.
        more: further options.
        code: the exit code.
        said: what the error says.
    """

    prepare: Callable[[Path], None]
    stage: str
    more: list[str]
    code: int
    said: str


EMBEDDINGS, CODES, SEQUENCES, ITEMS = names.EMBEDDINGS, names.CODES, names.SEQUENCES, names.ITEMS
HISTORIES = names.HISTORIES

CASES = {
    "an unknown view": Case(nothing, "embed", ["--views", "colour"], 2, "has no view 'colour'"),
    "a view that no item has": Case(
        rewritten(ITEMS, each("brand", lambda row, text: "")), "embed", ["--views", "brand"], 3, "no item has a text in"
    ),
    "items out of order": Case(
        rewritten(ITEMS, each("item", lambda row, item: item + 1)), "embed", [], 3, "row 1 holds item 2"
    ),
    "NaN in embeddings": Case(
        rewritten(EMBEDDINGS, each("brand", lambda row, v: [np.nan, *v[1:]] if row == 7 else v)),
        *("quantize", [], 3, "column 'brand', row 8: the vector is not finite"),
    ),
    "constant embeddings": Case(
        rewritten(EMBEDDINGS, each("brand", lambda row, vector: [1.0] * 32)),
        "quantize",
        [],
        3,
        "view 'brand' vary in 0 directions",
    ),
    "vectors of several lengths": Case(
        rewritten(EMBEDDINGS, each("brand", lambda row, v: v[:-1] if row == 3 else v)),
        *("quantize", [], 3, "row 4: a list of 31 values, those before have 32"),
    ),
    "levels that do not divide": Case(nothing, "quantize", ["--levels", "3"], 2, "--levels 3 does not divide"),
    "codebooks of another dimension": Case(
        rewritten(EMBEDDINGS, lambda columns: columns.update(brand=[v and v[:16] for v in columns["brand"]])),
        *("quantize", ["--codebooks", f"whole/{names.QUANTIZER}"], 3, "was fitted to vectors of 32 dimensions"),
    ),
    "items without codes": Case(
        rewritten(CODES, each("codes", lambda row, codes: None if row == 2 else codes)), "train", [], 3, "row 3 is null"
    ),
    "codes of fewer items": Case(rewritten(CODES, shortened), "train", [], 3, "codes.parquet has 1195 items"),
    "embeddings of fewer items": Case(rewritten(EMBEDDINGS, shortened), "train", [], 3, "another embeddings.parquet"),
    "an item that does not exist": Case(
        rewritten(SEQUENCES, each("items", lambda row, items: [9_999, *items[1:]] if row == 4 else items)),
        *("train", [], 3, "row 5: item 9999 is not within 1..1"),
    ),
    "parts of a history that overlap": Case(
        rewritten(SEQUENCES, each("train_end", lambda row, end: 99 if row == 0 else end)),
        *("train", [], 3, "column 'train_end', row 1"),
    ),
    "a column missing": Case(
        rewritten(SEQUENCES, lambda columns: columns.pop("valid_end")), "train", [], 3, "column 'valid_end' is missing"
    ),
    "weights of another model": Case(
        lambda artifacts: shutil.copy2(artifacts / names.QUANTIZER, artifacts / names.MODEL_WEIGHTS) and None,
        *("evaluate", [], 3, "model.safetensors"),
    ),
    "a model of fewer items": Case(
        lambda artifacts: [rewritten(name, shortened)(artifacts) for name in (EMBEDDINGS, CODES)] and None,
        *("evaluate", [], 3, "was made from another"),
    ),
    "a user without a history": Case(
        rewritten(HISTORIES, each("items", lambda row, items: None if row == 3 else items)),
        *("recommend", [], 3, "column 'items' has nulls"),
    ),
    "a history of an item that does not exist": Case(
        rewritten(HISTORIES, each("items", lambda row, items: [*items, 9_999] if row == 4 else items)),
        *("recommend", [], 3, "row 5: item 9999 is not within 1..1"),
    ),
    "recommendations by a model of other items": Case(
        lambda artifacts: [rewritten(name, shortened)(artifacts) for name in (EMBEDDINGS, CODES)] and None,
        *("recommend", [], 3, "was made from another"),
    ),
    "more recommendations than items": Case(nothing, "recommend", ["--top", "9999"], 2, "--top must be from 1 to 1,"),
    "an unknown key in the configuration": Case(
        only("c.toml", "[train]\nepoch = 3\n"), "train", ["--config", "c.toml"], 2, "did you mean epochs?"
    ),
    "an unknown table in the configuration": Case(
        only("c.toml", "[trains]\nepochs = 3\n"), "train", ["--config", "c.toml"], 2, "[trains]"
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_does_not_fit(case, shop, warm, arguments, tmp_path, leftover_files):
    prepare, stage, more, code, said = CASES[case]
    folder = Path(shutil.copytree(shop.folder, tmp_path / "bad", ignore=shutil.ignore_patterns("checkpoint")))
    (folder / "whole").symlink_to(shop.folder / "artifacts")
    prepare(folder / "artifacts")
    before = {name: (folder / "artifacts" / name).read_bytes() for name in STAGES[stage].outputs}
    ended = warm(*arguments[stage], "--force", *more, cwd=folder)
    assert (ended.code, "Traceback" in ended.err) == (code, False), ended
    assert said in ended.err
    if code == 3:
        assert "hint: " in ended.err
    assert {name: (folder / "artifacts" / name).read_bytes() for name in before} == before
    assert leftover_files(folder) == []


def test_two_runs_at_once(shop, warm, arguments, tmp_path):
    folder = shop.before("quantize", tmp_path / "busy")
    lock = folder / "artifacts" / LOCK
    lock.parent.mkdir()
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write("`cocorec train` (process 7)")
        file.flush()
        ended = warm(*arguments["quantize"], cwd=folder)
    assert ended.code == 3
    assert "artifacts is in use by `cocorec train` (process 7)" in ended.err
    assert shop.differing("quantize", folder) == []
