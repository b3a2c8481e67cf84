"""Exit codes and what is said: what the machine lacks is not told as damage of a file."""

import errno
import os
import subprocess
import sys

import pytest

from cocorec_cli.errors import report_error
from stages.artifacts.errors import DataError, UsageError

READS_WITHOUT_MEMORY = """
import resource, sys
from pathlib import Path
import pyarrow as pa, pyarrow.parquet as pq
from cocorec_cli.errors import report_error
from stages.artifacts.tables import read_table

path = Path("items.parquet")
pq.write_table(pa.table({"item": pa.array(range(8_000_000))}), path, compression="zstd")
read_table(path)  # it is whole, and all that reads it is loaded
pa.default_memory_pool().release_unused()
held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + (1 << 20), held + (1 << 20)))
try:
    read_table(path)
except Exception as error:
    sys.exit(report_error(error))
"""


def caused(error: Exception, by: BaseException) -> Exception:
    error.__cause__ = by
    return error


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (MemoryError("malloc of size 64 failed"), "out of memory: malloc of size 64 failed"),
        (OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), "out of memory: "),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "out of memory: "),
        (ImportError("libarrow.so.2600: failed to map segment from shared object"), "out of memory: "),
        (RuntimeError("can't start new thread"), "the system gives no further thread: can't start new thread"),
        (OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)), "the system gives no further thread: "),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_what_the_machine_lacks_is_no_damage(cause, said, capsys):
    for error in (cause, caused(DataError("items.parquet is damaged", "Make it anew."), cause)):
        assert report_error(error) == 1
        err = capsys.readouterr().err
        assert said in err and "hint: " in err
        assert "damaged: " not in err and "anew" not in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DataError("x.csv: column 'cannot allocate memory' is missing", "h"), 3),
        (caused(DataError("items.parquet is damaged", "h"), ValueError("bad magic")), 3),
        (UsageError("--dim must be at least 1", "h"), 2),
    ],
)
def test_other_errors_keep_their_codes(error, code, capsys):
    assert report_error(error) == code
    assert error.message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "hint"), [(errno.EACCES, "Ask the owner for permission, or "), (errno.ENOSPC, "Make room, or ")]
)
def test_an_error_of_the_system_names_the_path_first(number, hint, capsys):
    assert report_error(OSError(number, os.strerror(number), "model/x.bin")) == 3
    assert capsys.readouterr().err.startswith(f"error: model/x.bin: {os.strerror(number)}\nhint: {hint}")


def test_a_table_that_is_read_without_memory(tmp_path):
    # Arrow's own allocators reserve address space in advance, which the limit would not reach.
    environment = {**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system"}
    command = [sys.executable, "-c", READS_WITHOUT_MEMORY]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "error: out of memory" in done.stderr
    assert "damaged" not in done.stderr and "Traceback" not in done.stderr
