import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
from report_parts import cells, table_of

from stages.artifacts.lineage import Lineage
from stages.artifacts.names import CODES, ITEMS, SEQUENCES
from stages.artifacts.tables import open_table, write_table
from stages.artifacts.vectors import read_codes
from stages.quantize import QuantizeOptions, quantize
from stages.report.codebooks import codebooks_section
from stages.report.source import Source


def test_without_facts_use_is_read_off_the_codes(source: Source) -> None:
    codes, size = read_codes(source.path(CODES))
    section = codebooks_section(source)
    rows = cells(table_of(section, "positions"))
    assert [row[2] for row in rows] == [len(np.unique(column)) for column in codes.T]
    assert [row[2] + row[3] for row in rows] == [size] * codes.shape[1]
    dead = sum(row[3] for row in rows)
    assert f"{dead:,} of {size * codes.shape[1]:,} codes are dead." == section.charts[0].description
    assert dict(section.figures)["distinct tuples of codes"] == f"{len({tuple(row) for row in codes.tolist()}):,}"


def test_what_quantize_reports(structured: Path, tmp_path: Path) -> None:
    workdir = tmp_path / "w"
    workdir.mkdir()
    for name in (ITEMS, SEQUENCES, "embeddings.parquet"):
        shutil.copy(structured / name, workdir / name)
    facts = quantize(QuantizeOptions(levels=2, codebook_size=16, text_dim=4), workdir=workdir).facts
    section = codebooks_section(Source.open(workdir, None))
    rows = cells(table_of(section, "positions"))
    assert [(row[0], row[1], row[2], row[3]) for row in rows] == [
        (found["view"], found["level"], found["used"], found["dead"]) for found in facts["positions"]
    ]
    assert [(row[0], row[1]) for row in cells(table_of(section, "errors"))] == [
        (found["view"], found["relative_error"]) for found in facts["views"]
    ]
    assert section.intro == "Each item has 4 codes, each out of 16, by product quantization."


def test_facts_of_a_wrong_type_are_refused(structured: Path) -> None:
    import pytest

    from stages.artifacts.errors import DataError

    with open_table(structured / CODES) as file:
        table: pa.Table = file.read()
    write_table(structured / CODES, table, Lineage("quantize", {}, {}, {"positions": [{"used": "many"}]}))
    with pytest.raises(DataError, match=r"codes.parquet tells of 'used' what no stage tells"):
        codebooks_section(Source.open(structured, None))
