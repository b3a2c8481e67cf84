"""A row a run, and no number on two lines, however narrow the terminal."""

import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from terminal import lines_of, seen


@pytest.mark.parametrize("width", [50, 80, 120])
def test_in_a_terminal(tmp_path, width):
    users = [f"u{i:02}" for i in range(40)]
    for name, rank in (("sasrec", 12), ("cocorec", 1), ("light", 3)):
        table = {"user_id": users, "target": list(range(1, 41)), "rank": [rank] * 40, "history_length": [3] * 40}
        pq.write_table(pa.table(table), tmp_path / f"{name}.parquet")
    runs = [f"{name}.parquet" for name in ("sasrec", "cocorec", "light")]
    code, output = seen("compare", *runs, "--resamples", "99", "--quiet", cwd=tmp_path, columns=width)
    assert code == 0, output
    lines = lines_of(output)
    assert max(map(len, lines)) <= width
    tables = [line for line in lines if re.match(r" +(sasrec|cocorec|light|1-5) ", line)]
    assert len(tables) >= 2 * 3 + 2 * 2
    for line in tables:
        assert re.fullmatch(r" +\S+( +40)?( +(cocorec|light))?( +[-+]?\d\.\d{4}| +to| +-|)+ *", line), line
    full = next(line for line in lines if line.split()[:1] == ["cocorec"]).split()
    assert ("to" in full) is (width >= 80)
