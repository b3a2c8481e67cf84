"""What version 1 of the file contract called otherwise, so that its work directories are read as they are.

Version 2 fingerprints the contents of artifacts where version 1 fingerprinted their bytes, and records each option
under the name that it has on the command line.
"""

from collections.abc import Mapping
from typing import Any

RENAMED: Mapping[str, Mapping[str, str]] = {
    "preprocess": {
        "log_format": "format",
        "log_files": "inputs",
        "metadata_format": "items_format",
        "metadata_files": "items",
    },
    "quantize": {"dimension": "text_dim"},
    "evaluate": {"bootstrap": "resamples"},
}
"""By stage, the options of version 1 that have another name now."""

ADDED: Mapping[str, Mapping[str, Any]] = {"train": {"backbone": "transformer", "experts": 8}}
"""By stage, the options that came after version 1, with the value that describes what it did."""


EMPTY: Mapping[str, tuple[str, ...]] = {"preprocess": ("views",)}
"""By stage, the options with several values for which version 1 recorded null where none was given."""


def current_options(stage: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that version 1 recorded, as this version would have recorded them."""
    names, empty = RENAMED.get(stage, {}), EMPTY.get(stage, ())
    current = {names.get(name, name): value for name, value in options.items()}
    current |= {name: [] for name in empty if current.get(name, ()) is None}
    return {**ADDED.get(stage, {}), **current}
