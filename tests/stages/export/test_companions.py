"""A model goes to a hub as it is, and is used elsewhere as it comes from there."""

import pyarrow.parquet as pq
import pytest
from exporting import trained_in
from hub import running_hub
from huggingface_hub import HfApi
from renumbering import keep

from stages.artifacts.errors import DataError
from stages.artifacts.names import CODES, ITEMS, QUANTIZER
from stages.export import ExportOptions, export
from stages.quantize import QuantizeOptions, quantize
from stages.recommend import Recommender

CARD = ExportOptions(formats=("card",), device="cpu")
CODED = QuantizeOptions(levels=2, codebook_size=8, text_dim=8)


@pytest.fixture
def coded(make_structured, tmp_path):
    """A work directory whose codes were made of its texts."""
    folder = make_structured(tmp_path / "there")
    (folder / CODES).unlink()
    quantize(CODED, workdir=folder)
    return folder


def test_up_to_a_hub_and_down_to_another_shop(coded, make_structured, tmp_path, monkeypatch):
    workdir = trained_in(coded, with_ids=True)
    result = export(CARD, workdir=workdir)
    assert result.facts == {"beside_the_model": [ITEMS, QUANTIZER]}
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with running_hub() as hub:
        api = HfApi(endpoint=hub.address, token="hf_none")
        api.upload_folder(repo_id="shop/model", folder_path=workdir / "model", ignore_patterns=["checkpoint/*"])
    assert hub.cards[0]["license"] == "unknown" and hub.cards[0]["library_name"] == "cocorec"
    assert {"README.md", "config.json", "model.safetensors", ITEMS, QUANTIZER} <= set(hub.files)

    downloaded = tmp_path / "downloaded"
    downloaded.mkdir()
    for name, content in hub.files.items():
        (downloaded / name).write_bytes(content)
    here = make_structured(tmp_path / "here")
    order = [*range(30, 61), *range(1, 30)]
    keep(here, order)
    quantize(QuantizeOptions(codebooks=downloaded / QUANTIZER), workdir=here, force=True)
    history = [["item-003", "item-040"]]
    [found] = Recommender.load(here, device="cpu", model_from=downloaded).recommend(history, 10)
    [expected] = Recommender.load(workdir, device="cpu").recommend(history, 10)
    assert found.item_ids == expected.item_ids
    assert found.scores == pytest.approx(expected.scores, abs=1e-5)


def test_titles_do_not_go_along_and_a_second_run_has_nothing_to_do(coded):
    workdir = trained_in(coded, with_ids=True)
    export(CARD, workdir=workdir)
    assert pq.read_schema(workdir / "model" / ITEMS).names == ["item", "item_id"]
    assert "quantize --codebooks FOLDER/quantizer.safetensors" in (workdir / "model" / "README.md").read_text()
    assert export(CARD, workdir=workdir).skipped
    (workdir / "model" / ITEMS).unlink()
    assert not export(CARD, workdir=workdir).skipped
    assert (workdir / "model" / ITEMS).exists()


def test_codebooks_of_other_codes_and_ids_of_no_use_stay(structured):
    workdir = trained_in(structured, model="text", with_ids=False, cooccurrence_bias=False, epochs=1)
    assert export(CARD, workdir=workdir).facts == {}
    assert not (workdir / "model" / ITEMS).exists()
    assert "quantize" not in (workdir / "model" / "README.md").read_text().partition("## Options")[0]


def test_a_damaged_codebook_is_not_passed_on(coded):
    workdir = trained_in(coded)
    content = bytearray((workdir / QUANTIZER).read_bytes())
    content[-5] ^= 1
    (workdir / QUANTIZER).write_bytes(content)
    with pytest.raises(DataError, match=r"quantizer\.safetensors is damaged"):
        export(CARD, workdir=workdir)
    assert not (workdir / "model" / QUANTIZER).exists()
