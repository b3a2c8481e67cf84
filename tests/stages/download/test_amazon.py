from pathlib import Path

import pytest

from stages.artifacts.errors import UsageError
from stages.download.amazon import CATEGORIES, KINDS, categories_hint, default_folder, remote_files


def test_the_layout_of_the_server() -> None:
    paths = [file.path for file in remote_files("Baby_Products", "timestamp_w_his")]
    assert paths == [
        "benchmark/5core/timestamp_w_his/Baby_Products.train.csv.gz",
        "benchmark/5core/timestamp_w_his/Baby_Products.valid.csv.gz",
        "benchmark/5core/timestamp_w_his/Baby_Products.test.csv.gz",
        "raw/meta_categories/meta_Baby_Products.jsonl.gz",
    ]
    assert remote_files("Baby_Products", "rating_only")[0].path == "benchmark/5core/rating_only/Baby_Products.csv.gz"
    assert len(CATEGORIES) == len(set(CATEGORIES)) == 28


def test_folders_by_default() -> None:
    assert default_folder("Video_Games", "last_out_w_his") == Path("data/amazon-2023/Video_Games")
    assert default_folder("Video_Games", "rating_only") == Path("data/amazon-2023/Video_Games-rating_only")


@pytest.mark.parametrize("kind", KINDS)
def test_files_are_called_by_plain_names_that_differ(kind: str) -> None:
    for category in CATEGORIES:
        files = remote_files(category, kind)
        assert len({file.name for file in files}) == len(files) == max(1, len(KINDS[kind])) + 1
        assert all(file.path.endswith(f"/{file.name}") and category in file.name for file in files)


def test_kinds_have_folders_of_their_own() -> None:
    folders = {default_folder(category, kind) for category in CATEGORIES for kind in KINDS}
    assert len(folders) == len(CATEGORIES) * len(KINDS)


@pytest.mark.parametrize("category", ["../up", "a/b", "", "_a", "a__b", "a\n"])
def test_what_cannot_be_a_category_is_refused(category: str) -> None:
    with pytest.raises(UsageError) as caught:
        remote_files(category, "last_out")
    assert caught.value.message == f"{category!r} is not the name of a category"
    assert caught.value.hint == categories_hint(category)


def test_the_hint_names_what_is_near_and_all_there_are() -> None:
    every = f"Categories with 5-core files: {', '.join(CATEGORIES)}."
    assert categories_hint("Musical_Instrument") == f"Did you mean Musical_Instruments? {every}"
    assert categories_hint("qqqq") == every
