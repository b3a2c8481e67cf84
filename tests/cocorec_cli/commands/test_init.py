import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stages.artifacts.items import item_views
from stages.artifacts.names import ITEMS, SEQUENCES
from stages.artifacts.tables import read_table

Cli = Callable[..., Any]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a log whose columns have names of their own, and texts whose column of ids has another."""
    folder = tmp_path / "shop"
    folder.mkdir()
    events = ("view", "buy")
    rows = [
        f"c{c},s{(c + n) % 12},2024-01-{n + 1:02} 10:00,{events[n % 2]}" for c in range(30) for n in range(6 + c % 3)
    ]
    (folder / "log.csv").write_text("\n".join(["customer,sku,bought_at,event", *rows]))
    products = [
        {"no": f"s{n}", "title": f"Tool number {n}", "shop": "ours", "url": f"https://a/{n}"} for n in range(12)
    ]
    (folder / "products.jsonl").write_text("\n".join(map(json.dumps, products)))
    monkeypatch.chdir(tmp_path)
    return folder


def test_what_init_writes_runs(cli: Cli, shop: Path, tmp_path: Path) -> None:
    done = cli("init", "shop/log.csv", "--items", "shop/products.jsonl", "--quiet")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("init: made cocorec.toml\n")
    assert done.out.endswith("next: cocorec run\n")
    assert max(map(len, done.out.splitlines())) <= 80
    written = tomllib.loads(Path("cocorec.toml").read_text())
    assert written["preprocess"] == {
        "inputs": ["shop/log.csv"],
        "items": ["shop/products.jsonl"],
        "items_id_column": "no",
        "user_column": "customer",
        "item_column": "sku",
        "time_column": "bought_at",
        "views": ["title"],
        "k_core": 5,
    }
    text = Path("cocorec.toml").read_text()
    assert '# Not a view: "url" ("numbers, dates or addresses").' in text
    assert '# Not a view: "shop" ("it is the same for all items").' in text
    assert '# where = "\\"event\\" = \'view\'"' in text
    done = cli("run", "--until", "preprocess", "--quiet")
    assert done.code == 0, done.err
    assert item_views(tmp_path / "artifacts" / ITEMS) == ["title"]
    assert read_table(tmp_path / "artifacts" / SEQUENCES).num_rows == 30
    done = cli("init", shop / "log.csv")
    assert done.code == 2
    assert "cocorec.toml exists" in done.err
    assert cli("init", shop / "log.csv", "--force", "--quiet").code == 0
    assert "items" not in tomllib.loads(Path("cocorec.toml").read_text())["preprocess"]


def test_a_log_without_texts_runs_to_the_end(cli: Cli, shop: Path) -> None:
    report = json.loads(cli("init", shop / "log.csv", "--k-core", "2", "--where", "event = 'buy'", "--json").out)[
        "result"
    ]
    assert report["options"]["where"] == "event = 'buy'"
    assert report["facts"]["rows_read"] == 210
    small = "\nepochs = 1\ndim = 8\nffn_dim = 8\nbatch_size = 32"
    config = Path("cocorec.toml")
    config.write_text(config.read_text().replace('model = "sasrec"', 'model = "sasrec"' + small))
    done = cli("run", "--quiet")
    assert done.code == 0, done.err
    assert "quantize: left out, since items.parquet has no text" in done.err
    assert Path("artifacts/recommendations.parquet").is_file()
    assert not Path("artifacts/embeddings.parquet").exists()


def test_a_log_without_recognisable_columns_is_an_error(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("a,b\n1,2\n")
    done = cli("init", tmp_path / "log.csv", "--output", tmp_path / "made.toml")
    assert done.code == 3
    assert "there is no column 'user_id'; there are 'a', 'b'" in done.err
    assert not (tmp_path / "made.toml").exists()
