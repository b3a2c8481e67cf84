"""In processes of their own, since what is told to the C library holds for the rest of a process."""

import platform
import subprocess
import sys
import textwrap

import pytest

ALLOCATE = """
    import os
    from pathlib import Path
    from stages.frame.allocator import keep_freed_memory, return_freed_memory

    def held():
        "MiB of this process in memory."
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20

    def use():
        "Fill 64 MiB and free them."
        text = b"x" * (64 << 20)
"""


def run(script: str) -> list[int]:
    """The numbers that a script prints."""
    code = textwrap.dedent(ALLOCATE) + textwrap.dedent(script)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return [int(word) for word in done.stdout.split()]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="no glibc here")
def test_freed_memory_is_kept_until_it_is_returned() -> None:
    before, usual, kept, returned = run(
        """
        numbers = [held()]
        use()
        numbers.append(held())
        keep_freed_memory()
        use()
        numbers.append(held())
        return_freed_memory()
        print(*numbers, held())
        """
    )
    assert usual < before + 32
    assert kept > before + 48
    assert returned < before + 32


def test_other_c_libraries_are_left_alone() -> None:
    assert run(
        """
        import sys
        sys.platform = "other"
        keep_freed_memory()
        return_freed_memory()
        print(1)
        """
    ) == [1]
