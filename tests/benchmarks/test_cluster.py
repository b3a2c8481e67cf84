import gzip
import json

from benchmarks.cluster import write_log


def test_the_files_of_a_log_are_one_log_in_the_order_of_time(tmp_path):
    write_log(tmp_path, 1_000, 3)
    files = sorted(tmp_path.iterdir())
    rows = [[json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()] for file in files]
    assert [len(part) for part in rows] == [333, 333, 334]
    times = [row["timestamp"] for part in rows for row in part]
    assert times == sorted(set(times))
    assert len({row["user_id"] for part in rows for row in part}) <= 125
    written = [file.stat().st_mtime_ns for file in files]
    write_log(tmp_path, 1_000, 3)
    assert [file.stat().st_mtime_ns for file in files] == written
