"""Item metadata of Amazon Reviews 2023 (JSON lines)."""

import json
from collections.abc import Sequence
from typing import Any

import polars as pl

from stages.artifacts.reporter import Reporter
from stages.preprocess.catalogue.base import Catalogue, check_views
from stages.preprocess.catalogue.json_lines import Field, read_json_lines
from stages.preprocess.sample import Sample

VIEWS = ("title", "brand", "features", "categories", "description")
"""The views of the CoCoRec paper; any other field can be asked for by its name."""

_SIGNATURE = {"details", "store", "main_category", "features", "categories", "description", "average_rating"}


class AmazonCatalogue:
    """Reads ``meta_*.jsonl``.

    There is no field for the brand. It is, in this order: ``details.Brand``, ``details["Brand Name"]``, ``store`` (the
    line under the title in the shop) and ``details.Manufacturer`` (often a legal entity that no shopper sees).
    """

    name = "amazon-2023"
    summary = "item metadata of Amazon Reviews 2023 (JSON lines)"

    def recognises(self, sample: Sample) -> bool:
        """Whether the records have the fields of this metadata."""
        fields = set(sample.columns)
        return sample.kind == "jsonl" and "parent_asin" in fields and len(fields & _SIGNATURE) >= 2

    def views(self, samples: list[Sample], id_column: str, wanted: Sequence[str] | None) -> list[str]:
        """The wanted views, or the five of the paper.

        Raises:
            UsageError: when a wanted view does not exist.
        """
        fields = [name for sample in samples for name in sample.columns if name != id_column]
        return check_views(wanted if wanted is not None else VIEWS, list(dict.fromkeys([*VIEWS, *fields])), samples)

    def read(
        self, samples: list[Sample], id_column: str, views: list[str], item_ids: pl.Series, reporter: Reporter
    ) -> Catalogue:
        """Read the texts of the items in ``item_ids``.

        Raises:
            DataError: when a line is not a JSON object, or none of the items is in the files.
        """
        return read_json_lines(samples, id_column, {view: _field(view) for view in views}, item_ids, reporter)


def _field(view: str) -> Field:
    return _brand if view == "brand" else lambda record: record.get(view)


def _brand(record: dict[str, Any]) -> Any:
    details = _object(record.get("details"))
    choices = (record.get("brand"), details.get("Brand"), details.get("Brand Name"), record.get("store"))
    return next((brand for brand in choices if brand), details.get("Manufacturer"))


def _object(value: Any) -> dict[str, Any]:
    """``details`` is an object in the files and the text of one in the copies on the Hugging Face Hub."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}


AMAZON = AmazonCatalogue()
