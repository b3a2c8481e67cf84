import json
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.artifacts.json_text import json_text

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def _strict(text):
    return json.loads(text, parse_constant=lambda token: pytest.fail(f"{token} is no JSON"))


@given(VALUES)
def test_what_is_written_is_json(value):
    _strict(json_text(value, indent=2))


@given(st.recursive(st.floats(allow_nan=False, allow_infinity=False) | st.text() | st.none(), st.lists, max_leaves=9))
def test_finite_values_come_back(value):
    assert _strict(json_text(value)) == value


def test_kinds_of_values():
    value = {
        "b": float("nan"),
        "a": (float("inf"), -float("inf"), 1.5),
        "p": Path("w/x"),
        "m": MappingProxyType({"k": 1}),
    }
    assert json_text(value) == '{"b": null, "a": [null, null, 1.5], "p": "w/x", "m": {"k": 1}}'
    assert json_text("é") == '"é"'
    assert json_text("é\udce9", ascii_only=True) == '"\\u00e9\\udce9"'
