"""Item metadata of Amazon Reviews 2014, 2018 and 2023: one record per line as published, or a table made of them."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from stages.artifacts.errors import DataError
from stages.frame.reporter import Reporter
from stages.preprocess.items.item_table import ItemTable, Wanted, check_views
from stages.preprocess.items.readers.json_lines import Field, read_json_lines, texts_of
from stages.preprocess.items.readers.table import read_rows
from stages.preprocess.items.text import nested_text, to_text
from stages.preprocess.sources.records import MALFORMED, parse_python, struct_of
from stages.preprocess.sources.sample import Sample
from stages.preprocess.sources.scan import keys_of, scan

VIEWS = ("title", "brand", "features", "categories", "description")
"""The views of the CoCoRec paper; any other field can be asked for by its name."""

_BRAND = ("brand", "details", "store")
_LABELLED_BRAND = re.compile(r"^\s*by\s*\n")


@dataclass(frozen=True)
class AmazonItemReader:
    """Reads ``meta_*.jsonl`` and ``meta_*.json``, and their copies in Parquet, Arrow and CSV.

    In 2023 there is no field for the brand. It is, in this order: ``details.Brand``, ``details["Brand Name"]``,
    ``store`` (the line under the title in the shop) and ``details.Manufacturer`` (often a legal entity that no shopper
    sees).

    Attributes:
        name: what ``--items-format`` calls it.
        summary: the format in a few words.
        id_column: the item's id.
        signature: fields of which a file of the format has at least two.
        fields: what the views of the paper are called in the files, where it is something else.
    """

    name: str
    summary: str
    id_column: str
    signature: frozenset[str]
    fields: Mapping[str, str] = field(default_factory=dict)

    def recognises(self, sample: Sample) -> bool:
        """Whether the records have the fields of this metadata."""
        found = set(sample.columns)
        return self.id_column in found and len(found & self.signature) >= 2

    def views(self, samples: list[Sample], id_column: str, wanted: Sequence[str] | None) -> list[str]:
        """The wanted views, or the five of the paper.

        Raises:
            UsageError: when a wanted view does not exist.
        """
        fields = [name for sample in samples for name in sample.columns if name != id_column]
        if wanted is not None and not {*wanted} <= {*VIEWS, *fields}:  # the first records may lack a field
            fields += [name for sample in samples if sample.has_records for name in keys_of(sample).columns]
        return check_views(wanted if wanted is not None else VIEWS, list(dict.fromkeys([*VIEWS, *fields])), samples)

    def read(
        self, samples: list[Sample], id_column: str, views: list[str], wanted: Wanted, reporter: Reporter
    ) -> ItemTable:
        """Read the texts of the wanted items.

        Raises:
            DataError: when a line is not a JSON object, or none of the items is in the files.
        """
        fields = {view: _field(view, self.fields.get(view, view)) for view in views}
        if all(sample.has_records for sample in samples):
            return read_json_lines(samples, id_column, fields, wanted, reporter)
        if any(sample.has_records for sample in samples):
            raise DataError("the files of --items are of different kinds", "Give JSON lines or tables, not both.")
        columns = [name for view in views for name in (_BRAND if view == "brand" else (self.fields.get(view, view),))]
        return read_rows(samples, id_column, views, _rows(columns, fields), wanted, reporter)


def _rows(columns: list[str], fields: dict[str, Field]) -> Callable[[Sample, list[str]], pl.LazyFrame]:
    """What gives the texts of the rows of a table."""

    def texts(sample: Sample, views: list[str]) -> pl.LazyFrame:
        there = [name for name in dict.fromkeys(columns) if name in sample.columns] or list(sample.columns[:1])
        words = sample.reading.null_values
        made = pl.struct(pl.all()).map_batches(
            lambda rows: texts_of(rows.to_list(), fields, words, _nested),
            return_dtype=struct_of(views),
            is_elementwise=True,
        )
        return scan(sample, there).select(made.alias("texts")).unnest("texts")

    return texts


def _nested(value: Any) -> str | None:
    """The text of a value of a table, where lists may be written as texts."""
    return to_text(nested_text(value) if isinstance(value, str) else value)


def _field(view: str, name: str) -> Field:
    return _brand if view == "brand" else lambda record: record.get(name)


def _brand(record: dict[str, Any]) -> Any:
    details = _object(record.get("details"))
    choices = (record.get("brand"), details.get("Brand"), details.get("Brand Name"), record.get("store"))
    brand = next((brand for brand in choices if brand), details.get("Manufacturer"))
    # In 2018 the line under the title was taken as it stood: "by\n    \n    Acme".
    return _LABELLED_BRAND.sub("", brand) if isinstance(brand, str) else brand


def _object(value: Any) -> dict[str, Any]:
    """``details`` is an object in the files and the text of one in the copies on the Hugging Face Hub."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = json.loads(value)
        except ValueError:
            return _python_object(value)
    return value if isinstance(value, dict) else {}


def _python_object(text: str) -> dict[str, Any]:
    """``details`` as pandas writes it into CSV."""
    try:
        return parse_python(text)
    except MALFORMED:
        return {}


AMAZON_2023 = AmazonItemReader(
    "amazon-2023",
    "item metadata of Amazon Reviews 2023",
    "parent_asin",
    frozenset({"details", "store", "main_category", "features", "categories", "description", "average_rating"}),
)

AMAZON_2018 = AmazonItemReader(
    "amazon-2018",
    "item metadata of Amazon Reviews 2018",
    "asin",
    frozenset({"feature", "category", "main_cat", "also_view", "also_buy", "rank", "tech1", "similar_item"}),
    {"features": "feature", "categories": "category"},
)

AMAZON_2014 = AmazonItemReader(
    "amazon-2014",
    "item metadata of Amazon Reviews 2014",
    "asin",
    frozenset({"imUrl", "related", "salesRank", "categories"}),
)
