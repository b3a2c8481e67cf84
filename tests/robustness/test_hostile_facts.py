"""Artifacts that are up to date but report nonsense: told by name, never the end of a command in a traceback."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from stages.artifacts.atomic import write_json
from stages.artifacts.lineage import KEY, read_lineage
from stages.artifacts.pipeline import STAGES
from stages.artifacts.tables import write_table


def each(value: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Puts a value in the place of every fact."""
    return lambda facts: dict.fromkeys(facts, value)


FACTS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "none": lambda facts: {},
    "texts": each("\x1b[31m"),
    "lists of lists": each([[1, "a"], {}]),
    "tables of nothing": each([{}, {"a": None}]),
    "huge": each(10**400),
}


def reporting(facts: Callable[[dict[str, Any]], dict[str, Any]], stage: str, artifacts: Path) -> Path:
    """Let the first file of a stage report other facts, with a digest that is right."""
    path = artifacts / STAGES[stage].outputs[0]
    lineage = read_lineage(path)
    assert lineage is not None
    lineage = replace(lineage, facts=facts(dict(lineage.facts)))
    if path.suffix == ".json":
        content = json.loads(path.read_text())
        write_json(path, {**facts({name: content[name] for name in content if name in lineage.facts}), **{
            name: value for name, value in content.items() if name not in lineage.facts
        }, KEY: lineage.metadata()})  # fmt: skip
    else:
        write_table(path, pq.read_table(path).replace_schema_metadata(None), lineage)
    return path


ALL = [(stage, name) for stage in STAGES for name in FACTS]
SAMPLE = [pair for number, pair in enumerate(ALL) if pair[0] == "evaluate" or number % 3 == 0]
"""Each kind of facts, each stage, and all of what evaluate reports, which other commands show as well."""


@pytest.mark.parametrize(("stage", "name"), SAMPLE)
def test_facts(stage, name, shop, warm, arguments, tmp_path):
    told(stage, name, shop, warm, arguments, tmp_path)


@pytest.mark.crash
@pytest.mark.parametrize(("stage", "name"), sorted({*ALL} - {*SAMPLE}))
def test_the_other_facts(stage, name, shop, warm, arguments, tmp_path):
    told(stage, name, shop, warm, arguments, tmp_path)


def test_the_sample_has_every_kind_and_every_stage():
    assert {name for _, name in SAMPLE} == {*FACTS}
    assert {stage for stage, _ in SAMPLE} == {*STAGES}


def told(stage, name, shop, warm, arguments, tmp_path):
    """Let a stage report nonsense, and look at what it and the readers of its facts say."""
    folder = Path(shutil.copytree(shop.folder, tmp_path / "shop", symlinks=True))
    path = reporting(FACTS[name], stage, folder / "artifacts")
    ended = warm(*arguments[stage], cwd=folder, after=60)
    assert ended.code in (0, 3) and "Traceback" not in ended.err, ended
    assert "\x1b[31m" not in ended.out + ended.err
    assert ended.code == 0 or path.name in ended.err
    readers = [["status"], ["compare", "artifacts", "again=artifacts", "--resamples", "10"]]
    for given in readers if stage == "evaluate" else []:
        ended = warm(*given, cwd=folder, after=60)
        assert ended.code in (0, 3) and "Traceback" not in ended.err, ended
