import sys

import pytest

from stages.artifacts.errors import UsageError
from stages.export.options import ExportOptions, missing_libraries, require_onnx
from stages.frame.extras import how_to_install


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"formats": ("vectors", "csv")}, "--formats 'csv' is unknown"),
        ({"index": "annoy"}, "--index 'annoy' is unknown"),
        ({"license": "\x1b[31m"}, "--license is no identifier"),
        ({"license": " "}, "--license is no identifier"),
        ({"top": 0}, "--top must be at least 1"),
    ],
)
def test_what_does_not_fit_is_refused(given, said):
    with pytest.raises(UsageError, match=said):
        ExportOptions(**given)


def test_missing_libraries_are_named(monkeypatch):
    assert missing_libraries() == []
    require_onnx()
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    assert missing_libraries() == ["onnxscript"]
    with pytest.raises(UsageError, match="needs onnxscript, not installed") as caught:
        require_onnx()
    assert how_to_install("onnx") in str(caught.value.hint)
