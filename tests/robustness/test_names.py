"""Names that come from data stay data: none becomes a path."""

import csv

import numpy as np
from tiny import WORDS

from stages.artifacts.tables import read_table

EVIL = ["../../outside", "/tmp/outside", "..", "a/b", "\\..\\outside", "$(touch outside)", "~root"]


def test_ids_and_views_are_no_paths(shop, warm, arguments, tmp_path):
    folder = tmp_path / "a" / "b" / "names"
    folder.mkdir(parents=True)
    (folder / "tiny").symlink_to(shop.folder / "tiny")
    items = [f"{EVIL[i % len(EVIL)]}{i // len(EVIL) or ''}" for i in range(40)]
    with (folder / "items.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["item_id", "../../outside", "/tmp/outside"])
        rng = np.random.default_rng(0)
        rows.writerows([item, *(" ".join(rng.choice(WORDS, 6)) for _ in range(2))] for item in items)
    with (folder / "log.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["user_id", "item_id", "timestamp"])
        for user in range(40):
            name = f"{EVIL[user % len(EVIL)]}-{user}"
            rows.writerows([name, items[(user + step) % 40], 100 * user + step] for step in range(5))
    before = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    for stage, given in arguments.items():
        more = ["--codebook-size", "4"] if stage == "quantize" else ["--epochs", "1"] if stage == "train" else []
        ended = warm(*given, *more, cwd=folder)
        assert ended.code == 0, ended.err
    assert set(read_table(folder / "artifacts" / "items.parquet")["item_id"].to_pylist()) == set(items)
    made = [path for path in tmp_path.rglob("*") if path.is_file() and path not in before]
    assert made and all((folder / "artifacts") in path.parents for path in made)
    expected = {"artifacts", "artifacts/.cocorec", "artifacts/model", "artifacts/model/checkpoint"}
    assert {path.parent.relative_to(folder).as_posix() for path in made} == expected
