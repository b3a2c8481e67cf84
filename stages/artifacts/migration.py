"""What version 1 of the file contract called otherwise, so that its work directories are read as they are.

Version 2 fingerprints the contents of artifacts where version 1 fingerprinted their bytes, and records each option
under the name that it has on the command line.
"""

from collections.abc import Mapping
from typing import Any

from stages.artifacts.names import RECOMMENDATIONS

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

FORMER_MAKERS: Mapping[str, str] = {RECOMMENDATIONS: "evaluate"}
"""Files of version 1 that another stage made: lists from before the split, which are ``backtest.parquet`` now."""

MADE_ANEW: Mapping[str, str] = {"evaluate": "made by version 1, which measured one protocol and averaged over targets"}
"""By stage, why its files of version 1 are not up to date although they can be read."""


def current_options(stage: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that version 1 recorded, as this version would have recorded them."""
    names = RENAMED.get(stage, {})
    return {**ADDED.get(stage, {}), **{names.get(name, name): value for name, value in options.items()}}
