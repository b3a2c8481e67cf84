import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from exporting import trained_in
from growth import grow, rename
from renumbering import keep

from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.lineage import read_lineage
from stages.artifacts.names import CODES, EMBEDDINGS, ITEMS
from stages.artifacts.tables import read_table, write_table
from stages.model.elsewhere import find_saved, load_model_from
from stages.model.files import load_model
from stages.model.packing import Packing

CPU = torch.device("cpu")
ORDER = np.random.default_rng(5).permutation(60) + 1
HISTORIES = [[1, 2, 3], [10], [20, 21, 20, 22]]


@pytest.fixture(scope="module")
def made(make_structured, tmp_path_factory):
    """Work directories by model, each trained once; not to be changed."""
    found: dict[str, Path] = {}

    def of(model: str, **options: object) -> Path:
        if model not in found:
            folder = make_structured(tmp_path_factory.mktemp(model) / "artifacts")
            found[model] = trained_in(folder, model=model, **options)
        return found[model]

    return of


@pytest.fixture
def here(make_structured, tmp_path) -> Path:
    """A work directory of the same items without a model."""
    return make_structured(tmp_path / "here")


def hub(workdir: Path, folder: Path) -> Path:
    """The model alone, as it is downloaded."""
    return Path(shutil.copytree(workdir / "model", folder))


@torch.inference_mode()
def scores(model, histories):
    """(S, N) of items 1..N."""
    lengths = torch.tensor([len(history) for history in histories])
    packed = torch.tensor([item for history in histories for item in history])
    return model.scorer()(packed, Packing.of_lengths(lengths))(slice(0, len(lengths)))[:, 1:]


@pytest.mark.parametrize("model", ["cocorec", "sasrec", "cooccurrence"])
def test_on_its_own_items_it_is_the_same(made, here, tmp_path, model):
    own = load_model(made(model), CPU)
    trained = load_model_from(hub(made(model), tmp_path / "downloaded"), here, CPU)
    assert trained.added == 0
    torch.testing.assert_close(scores(trained.model, HISTORIES), scores(own.model, HISTORIES))
    assert trained.model.origin == str(tmp_path / "downloaded" / "model.safetensors")


@pytest.mark.parametrize("model", ["cocorec", "sasrec"])
def test_items_in_another_order_score_as_they_did(made, here, model):
    expected = scores(load_model(made(model), CPU).model, HISTORIES)[:, ORDER - 1]
    keep(here, ORDER)
    number = {int(item): place + 1 for place, item in enumerate(ORDER)}
    renumbered = [[number[item] for item in history] for history in HISTORIES]
    found = scores(load_model_from(made(model), here, CPU).model, renumbered)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_free_vectors_are_found_by_id_and_zero_for_others(made, here):
    workdir = made("text", with_ids=True)
    keep(here, ORDER[:40])
    rename(here, [*read_table(here / ITEMS)["item_id"].to_pylist()[:39], "unheard of"])
    trained = load_model_from(workdir, here, CPU)
    assert trained.added == 1
    table, before = trained.model.encoder.ids, load_model(workdir, CPU).model.encoder.ids
    assert torch.equal(table[1:40], before[ORDER[:39]]) and before[1:].abs().sum() > 0
    assert not table[40].any()


def test_a_catalogue_that_has_grown(made, here):
    grow(here)
    trained = load_model_from(made("cocorec"), here, CPU)
    assert (trained.added, trained.model.config.items) == (2, 62)
    assert load_model_from(made("cooccurrence"), here, CPU).added == 2


def test_fewer_items_than_the_model_has_vectors_of(made, here):
    keep(here, ORDER[:20])
    trained = load_model_from(made("sasrec"), here, CPU)
    assert (trained.added, trained.model.config.items) == (0, 20)


def test_the_ids_may_lie_beside_a_downloaded_model(made, here, tmp_path):
    keep(here, ORDER)
    folder = hub(made("sasrec"), tmp_path / "downloaded")
    with pytest.raises(DataError, match=r"items\.parquet does not exist"):
        load_model_from(folder, here, CPU)
    shutil.copy(made("sasrec") / ITEMS, folder / ITEMS)
    assert load_model_from(folder, here, CPU).model.config.items == 60


def _other_codebooks(workdir):
    table, lineage = read_table(workdir / CODES), read_lineage(workdir / CODES)
    field = table.schema.field("codes")
    told = field.with_metadata({**field.metadata, b"codebooks": b"sha256:other"})
    write_table(workdir / CODES, table.cast(table.schema.set(1, told)), lineage)


def _fewer_views(workdir):
    table, lineage = read_table(workdir / EMBEDDINGS), read_lineage(workdir / EMBEDDINGS)
    write_table(workdir / EMBEDDINGS, table.drop_columns(["brand"]), lineage)


@pytest.mark.parametrize(
    ("model", "change", "error", "said"),
    [
        ("cocorec", _other_codebooks, DataError, "trained on codes of other codebooks"),
        ("cocorec", _fewer_views, DataError, "trained on the views 'title', 'brand'"),
        ("sasrec", grow, DataError, "ranks only items that it was trained on, and 2 of the 62"),
        (
            "sasrec",
            lambda workdir: rename(workdir, [f"x{i}" for i in range(60)]),
            DataError,
            "60 of the 60 in .* are others",
        ),
        ("cooccurrence", lambda workdir: keep(workdir, ORDER), UsageError, "has counted items by their numbers"),
    ],
)
def test_what_does_not_fit_is_refused(made, here, model, change, error, said):
    change(here)
    with pytest.raises(error, match=said) as caught:
        load_model_from(made(model), here, CPU)
    assert "--model-from" in caught.value.message


def test_a_folder_without_a_model(tmp_path):
    with pytest.raises(DataError, match=r"--model-from: .*none does not exist"):
        find_saved(tmp_path / "none")
    with pytest.raises(DataError, match=r"--model-from: .* holds no config\.json of a model"):
        find_saved(tmp_path)
    (tmp_path / "config.json").write_text('{"architectures": ["BertModel"]}')
    with pytest.raises(DataError, match="no table 'model'"):
        find_saved(tmp_path)


def test_half_of_a_download(made, here, tmp_path):
    folder = hub(made("cocorec"), tmp_path / "downloaded")
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:-100])
    with pytest.raises(DataError, match=r"downloaded/model\.safetensors"):
        load_model_from(folder, here, CPU)
