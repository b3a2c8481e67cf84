"""MovieLens 100k as RecBole publishes it."""

from pathlib import Path

import pytest

from stages.artifacts.names import ITEMS, SEQUENCES
from stages.artifacts.sequences import read_sequences
from stages.artifacts.tables import read_table
from stages.preprocess import PreprocessOptions, preprocess


@pytest.fixture
def ml_100k(data_root: Path) -> Path:
    folder = data_root / "ml-100k"
    if not (folder / "ml-100k.inter").is_file():
        pytest.skip(f"{folder} lacks ml-100k.inter; set COCOREC_TEST_DATA to the folder that holds ml-100k/")
    return folder


def test_the_folder_as_published(ml_100k: Path, tmp_path: Path) -> None:
    facts = preprocess(PreprocessOptions([ml_100k], k_core=0), workdir=tmp_path).facts  # the texts lie beside
    assert (facts["format"], facts["items_format"], facts["time_unit"]) == ("recbole", "recbole", "s")
    assert (facts["users"], facts["items"], facts["interactions"]) == (943, 1682, 100_000)
    assert facts["users_with_times"] == 943
    assert facts["test_interactions"] == facts["valid_interactions"] == 943
    items = read_table(tmp_path / ITEMS)
    assert items.schema.names == ["item", "item_id", "movie_title", "release_year", "class"]
    assert items.to_pylist()[0] == {
        "item": 1,
        "item_id": "1",
        "movie_title": "Toy Story",
        "release_year": "1995",  # one year is a "V", so the column holds texts
        "class": "Animation Children's Comedy",
    }


def test_by_time(ml_100k: Path, tmp_path: Path) -> None:
    facts = preprocess(PreprocessOptions([ml_100k], split="temporal", targets="all", k_core=0), workdir=tmp_path).facts
    assert [facts[f"{part}_interactions"] for part in ("train", "valid", "test")] == [79_999, 10_001, 10_000]
    sequences = read_sequences(tmp_path / SEQUENCES, items=1682)
    assert sequences.users == 943
    assert facts["users_without_training_items"] == int((sequences.train_end == 0).sum()) > 0
