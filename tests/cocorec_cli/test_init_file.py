import tomllib
from pathlib import Path
from typing import Any

import pytest

from cocorec_cli.init_file import configuration, toml
from stages.preprocess.proposal import Proposal

FACTS = {"format": "table", "rows_read": 1200, "published_split": False, "times": "s"}


def proposal(**changes: Any) -> Proposal:
    own: dict[str, Any] = {"options": {"inputs": ["log.csv"]}, "views": (), "left_out": {}, "cores": {}, "kinds": None}
    return Proposal(**{**own, "rating": None, "facts": FACTS, **changes})


@pytest.mark.parametrize("value", ["a", 'q"\\', "é😀", "\x7f\t\n", 5, 0.5, True, ["a", "b"], []])
def test_values_are_read_back(value: Any) -> None:
    assert tomllib.loads(f"x = {toml(value)}")["x"] == value


def test_what_the_data_say_cannot_leave_a_comment(tmp_path: Path) -> None:
    sly = 'x"\n[train]\nepochs = 1'
    found = proposal(
        options={"inputs": ["log.csv"], "views": ["title"]},
        views=("title",),
        left_out={sly: sly},
        kinds=(sly, {sly: 3}),
        rating=sly,
        cores={5: {"users": 1}, 0: {"users": 2}},
    )
    read = tomllib.loads(configuration(found, tmp_path / "c.toml", tmp_path / "artifacts"))
    assert set(read) == {"workdir", "preprocess", "embed", "train", "evaluate", "recommend"}
    assert read["train"] == {}  # the default model
    assert read["preprocess"] == {"inputs": [str(Path("log.csv").absolute())], "views": ["title"]} or read[
        "preprocess"
    ]["inputs"][0].endswith("log.csv")
    assert read["workdir"] == "artifacts"


def test_paths_are_relative_unless_far_and_addresses_stay(tmp_path: Path) -> None:
    near, far = tmp_path / "a" / "log.csv", Path("/log.csv")
    inputs = [str(near), str(far), "s3://bucket/log.csv", "https:/host/log.csv"]
    text = configuration(proposal(options={"inputs": inputs}), tmp_path / "b" / "c.toml", tmp_path / "b")
    read = tomllib.loads(text)
    assert read["preprocess"]["inputs"] == ["../a/log.csv", str(far), "s3://bucket/log.csv", "https:/host/log.csv"]
    assert read["train"] == {"model": "sasrec"}
    assert "cocorec run --config c.toml" in text


def test_a_published_split_and_a_missing_time_are_told(tmp_path: Path) -> None:
    split = proposal(facts={**FACTS, "published_split": True})
    assert "come with a split" in configuration(split, tmp_path / "c.toml", tmp_path)
    untimed = proposal(facts={**FACTS, "times": None}, cores={5: {"users": 3}, 3: {"users": 3}, 0: {"users": 4}})
    text = configuration(untimed, tmp_path / "c.toml", tmp_path)
    assert "# No time was found" in text
    assert [line for line in text.splitlines() if "users" in line] == [
        "# The 5-core: 3 users.",
        "# The whole log: 4 users.",
    ]
