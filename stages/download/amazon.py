"""Where the files of Amazon Reviews 2023 lie on the server of its authors, and on mirrors of the same layout.

https://amazon-reviews-2023.github.io; Hou et al., "Bridging Language and Items for Retrieval and Recommendation",
arXiv:2403.03952.
"""

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

from stages.artifacts.errors import UsageError

NAME = "amazon-2023"

_PARTS = ("train", "valid", "test")

KINDS = {
    "last_out_w_his": _PARTS,
    "timestamp_w_his": _PARTS,
    "last_out": _PARTS,
    "timestamp": _PARTS,
    "rating_only": (),
}
"""The benchmark files that there are of each category, and the parts into which they are split."""

DEFAULT_KIND = "last_out_w_his"

# Of the 33 categories and "Unknown", those that are not empty after 5-core filtering.
CATEGORIES = (
    "All_Beauty",
    "Arts_Crafts_and_Sewing",
    "Automotive",
    "Baby_Products",
    "Beauty_and_Personal_Care",
    "Books",
    "CDs_and_Vinyl",
    "Cell_Phones_and_Accessories",
    "Clothing_Shoes_and_Jewelry",
    "Electronics",
    "Gift_Cards",
    "Grocery_and_Gourmet_Food",
    "Health_and_Household",
    "Home_and_Kitchen",
    "Industrial_and_Scientific",
    "Kindle_Store",
    "Magazine_Subscriptions",
    "Movies_and_TV",
    "Musical_Instruments",
    "Office_Products",
    "Patio_Lawn_and_Garden",
    "Pet_Supplies",
    "Software",
    "Sports_and_Outdoors",
    "Tools_and_Home_Improvement",
    "Toys_and_Games",
    "Unknown",
    "Video_Games",
)

_CATEGORY = re.compile(r"[A-Za-z0-9]+(_[A-Za-z0-9]+)*")


@dataclass(frozen=True)
class RemoteFile:
    """A file of the data set.

    Attributes:
        name: what it is called on this machine; never a path.
        path: where it lies below the base URL.
    """

    name: str
    path: str


def remote_files(category: str, kind: str) -> list[RemoteFile]:
    """The benchmark files of a category, and the metadata of its items.

    Raises:
        UsageError: when ``category`` cannot be the name of one, or there is no such kind.
    """
    if not _CATEGORY.fullmatch(category):
        raise UsageError(f"{category!r} is not the name of a category", categories_hint(category))
    names = [f"{category}.{part}.csv.gz" for part in KINDS[kind]] or [f"{category}.csv.gz"]
    meta = f"meta_{category}.jsonl.gz"
    return [
        *(RemoteFile(name, f"benchmark/5core/{kind}/{name}") for name in names),
        RemoteFile(meta, f"raw/meta_categories/{meta}"),
    ]


def default_folder(category: str, kind: str) -> Path:
    """Where the files go unless told otherwise; kinds have files of the same names and need folders of their own."""
    return Path("data") / NAME / (category if kind == DEFAULT_KIND else f"{category}-{kind}")


def categories_hint(category: str) -> str:
    """What to tell somebody whose category does not exist."""
    close = difflib.get_close_matches(category, CATEGORIES, n=1, cutoff=0.5)
    return (f"Did you mean {close[0]}? " if close else "") + f"Categories with 5-core files: {', '.join(CATEGORIES)}."
