import importlib
import sys

import pytest

from stages.frame.lazy import lazy_names


def test_a_name_is_imported_when_it_is_asked_for(tmp_path, monkeypatch):
    (tmp_path / "slow_module.py").write_text("answer = 42\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    get = lazy_names("package", {"answer": "slow_module"})
    assert "slow_module" not in sys.modules
    assert get("answer") == 42
    monkeypatch.delitem(sys.modules, "slow_module")


def test_other_names_are_missing_as_of_any_module():
    with pytest.raises(AttributeError, match="module 'package' has no attribute 'nothing'"):
        lazy_names("package", {})("nothing")


@pytest.mark.parametrize(
    "name", ["download", "preprocess", "embed", "quantize", "train", "evaluate", "compare", "tune"]
)
def test_all_that_a_stage_offers_is_there(name):
    package = importlib.import_module(f"stages.{name}")
    assert all(hasattr(package, offered) for offered in package.__all__)
