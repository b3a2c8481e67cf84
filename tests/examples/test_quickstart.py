import gzip
import importlib.util
import json
import subprocess
import tomllib
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
from reasons import counts_dropped

from stages.preprocess import PreprocessOptions, preprocess

QUICKSTART = Path(__file__).resolve().parents[2] / "examples" / "quickstart"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("quickstart_make_data", QUICKSTART / "make_data.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    # dataclasses look their module up by name
    import sys

    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def made(generator: ModuleType) -> dict[str, bytes]:
    return generator.make_files()


def test_committed_data_are_what_the_generator_makes(made: dict[str, bytes]) -> None:
    assert (QUICKSTART / "catalogue.jsonl").read_bytes() == made["catalogue.jsonl"]
    # What gzip makes of the same text depends on the version of zlib.
    assert gzip.decompress((QUICKSTART / "log.csv.gz").read_bytes()) == gzip.decompress(made["log.csv.gz"])


def test_generator_gives_the_same_bytes_twice_and_others_for_another_seed(
    generator: ModuleType, made: dict[str, bytes]
) -> None:
    assert generator.make_files() == made
    assert generator.make_files(1)["log.csv.gz"] != made["log.csv.gz"]


def test_data_stay_small(made: dict[str, bytes]) -> None:
    assert sum(map(len, made.values())) < 1_500_000


def test_configuration_reads_the_data(tmp_path: Path) -> None:
    config = tomllib.loads((QUICKSTART / "cocorec.toml").read_text())
    assert list(config) == ["workdir", "preprocess", "embed", "quantize", "train", "evaluate", "recommend"]
    options = config["preprocess"]
    inputs, items = ([QUICKSTART / name for name in options.pop(key)] for key in ("inputs", "items"))
    facts = preprocess(PreprocessOptions(inputs=inputs, items=items, **options), workdir=tmp_path).facts
    assert 600 <= facts["items"] <= 900
    assert 2_500 <= facts["users"] <= 3_500
    assert 25_000 <= facts["interactions"] <= 35_000
    assert set(config["embed"]["views"]) == set(facts["views"])
    assert 0.85 < facts["views"]["brand"] < 1  # some are missing, as in real catalogues
    assert counts_dropped(facts)["repeated rows (user, item and time)"] > 0


def test_make_quickstart_ends_with_the_report() -> None:
    told = subprocess.run(
        # Below another make, as in `make test`, it would say which folder it leaves.
        ["make", "--dry-run", "--no-print-directory", "quickstart"],
        cwd=QUICKSTART.parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.splitlines()[-1].endswith("cocorec report --config examples/quickstart/cocorec.toml")


def test_texts_carry_html_and_log_is_long_tailed() -> None:
    texts = (QUICKSTART / "catalogue.jsonl").read_text()
    assert "&amp;" in texts and "<p>" in texts and "<br>" in texts
    ids = {json.loads(line)["product_id"] for line in texts.splitlines()}
    rows = gzip.decompress((QUICKSTART / "log.csv.gz").read_bytes()).decode().splitlines()[1:]
    sold = Counter(row.split(",")[1] for row in rows)
    assert set(sold) <= ids
    top = sum(count for _, count in sold.most_common(len(ids) // 10))
    assert top > 0.25 * len(rows)
