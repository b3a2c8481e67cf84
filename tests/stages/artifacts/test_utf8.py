import os
from pathlib import Path

import pytest

from stages.artifacts.errors import DataError
from stages.artifacts.utf8 import require_utf8


@pytest.mark.parametrize("name", ["", "plain", "Müller/日本", "a b\n"])
def test_utf8_passes(name: str) -> None:
    require_utf8(name, "--workdir")
    require_utf8(Path(name), "--workdir")


def test_other_bytes_are_shown_as_escapes() -> None:
    path = Path(os.fsdecode("données/".encode() + b"M\xfcller"))
    for named in (path, str(path)):
        with pytest.raises(DataError) as caught:
            require_utf8(named, "--workdir")
        assert caught.value.message == "--workdir données/M\\xfcller: the name is not UTF-8"
        assert "LC_ALL=C.UTF-8" in (caught.value.hint or "")
        assert caught.value.__suppress_context__
        str(caught.value).encode()  # can be printed anywhere
