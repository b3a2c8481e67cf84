import pytest

from stages.artifacts.errors import DataError
from stages.artifacts.names import CODES, EMBEDDINGS, ITEMS, SEQUENCES, TUNE_DIR
from stages.artifacts.sequences import read_sequences
from stages.tune.folders import Folders, without_test


def test_histories_end_with_their_validation_items(structured):
    whole = read_sequences(structured / SEQUENCES, user_ids=True)
    found = without_test(structured / SEQUENCES)
    assert found["user_id"].to_pylist() == whole.user_ids.to_pylist()
    ends = (whole.offsets[:-1] + whole.valid_end).tolist()
    expected = [whole.items[low:end].tolist() for low, end in zip(whole.offsets, ends, strict=False)]
    assert found["items"].to_pylist() == expected
    assert found["valid_end"].to_pylist() == [len(history) for history in expected]
    assert found["train_end"].to_pylist() == whole.train_end.tolist()
    assert found["timestamps"].null_count == whole.users


def test_histories_are_made_once_and_again_when_damaged(structured):
    folders, path = Folders(structured), structured / TUNE_DIR / SEQUENCES
    folders.prepare()
    made, content = path.stat().st_mtime_ns, path.read_bytes()
    folders.prepare()
    assert path.stat().st_mtime_ns == made
    path.write_bytes(content[: len(content) // 2])
    folders.prepare()
    assert path.read_bytes() == content
    (structured / SEQUENCES).unlink()
    with pytest.raises(DataError, match=r"sequences\.parquet does not exist"):
        folders.prepare()


def test_codes_are_shared_by_equal_options(structured):
    folders = Folders(structured)
    assert folders.codes({"levels": 2, "seed": 1}) == folders.codes({"seed": 1, "levels": 2})
    assert folders.codes({"levels": 2}) != folders.codes({"levels": 3})
    assert folders.trial(7, 1) == structured / TUNE_DIR / "trial-0007" / "run-1"


def test_a_folder_shows_the_shared_files(structured):
    folders = Folders(structured)
    folders.prepare()
    trial = folders.trial(0, 0)
    folders.link(trial)
    assert {path.name for path in trial.iterdir()} == {SEQUENCES, EMBEDDINGS, ITEMS}
    assert (trial / SEQUENCES).resolve() == (structured / TUNE_DIR / SEQUENCES).resolve()
    for codes in (structured, folders.codes({"levels": 2})):
        codes.mkdir(parents=True, exist_ok=True)
        (codes / CODES).touch()
        folders.link(trial, codes=codes)
        assert (trial / CODES).resolve() == (codes / CODES).resolve()
    moved = structured.rename(structured.with_name("elsewhere"))
    assert all(path.exists() for path in (moved / TUNE_DIR / "trial-0000" / "run-0").iterdir())


def test_a_missing_file_has_no_link(structured):
    folders = Folders(structured)
    folders.link(folders.trial(0, 0))
    (structured / EMBEDDINGS).unlink()
    folders.link(folders.trial(0, 0))
    assert [path.name for path in folders.trial(0, 0).iterdir()] == [ITEMS]


def test_checkpoints_of_one_trial_are_dropped(structured):
    folders = Folders(structured)
    for number, run in ((0, 0), (0, 1), (1, 0)):
        (folders.trial(number, run) / "model" / "checkpoint").mkdir(parents=True)
    folders.tidy(0)
    left = [path.relative_to(structured / TUNE_DIR).parts[0] for path in structured.rglob("checkpoint")]
    assert left == ["trial-0001"]
    assert (folders.trial(0, 1) / "model").is_dir()
