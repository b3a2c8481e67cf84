"""Our model against one forward and backward pass of the authors' own, in float64."""

from pathlib import Path

import numpy as np
import pytest
import torch
from models import config_of

from stages.model.catalogue import Catalogue
from stages.model.cocorec import CoCoRec
from stages.model.losses import masked_code_modelling, masked_sequence_alignment, recommendation
from stages.model.packing import Packing

GOLDEN = Path(__file__).parents[2] / "data" / "authors_forward.npz"
TOLERANCE = {"rtol": 0, "atol": 1e-9}


NEEDS_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU here")


@pytest.fixture(scope="module", params=["cpu", pytest.param("cuda", marks=NEEDS_GPU)])
def golden(request):
    with np.load(GOLDEN) as file:
        return {key: torch.from_numpy(np.asarray(file[key])).to(request.param) for key in file}


def authors_weights(golden):
    """The authors' parameters under our names."""

    def joined(block, *parts):
        return {
            kind: torch.cat([golden[f"weights__{block}.{part}.{kind}"] for part in parts])
            for kind in ("weight", "bias")
        }

    weights = {
        "encoder.table": golden["weights__query_code_embedding.weight"],
        "backbone.position": golden["weights__position_embedding.weight"],
        "backbone.norm.weight": golden["weights__layer_norm.weight"],
        "backbone.norm.bias": golden["weights__layer_norm.bias"],
    }

    def put(name, values):
        for kind, value in values.items():
            weights[f"{name}.{kind}"] = value

    for layer in range(2):
        theirs, ours = f"qformer.layer.{layer}", f"encoder.layers.{layer}"
        put(f"{ours}.self_qkv", joined(f"{theirs}.self_attention", "query", "key", "value"))
        put(f"{ours}.cross_q", joined(f"{theirs}.cross_attention", "query"))
        put(f"{ours}.cross_kv", joined(f"{theirs}.cross_attention", "key", "value"))
        for our_out, block in (("self_out", "self_attention"), ("cross_out", "cross_attention")):
            put(f"{ours}.{our_out}.linear", joined(f"{theirs}.{block}", "out_linear"))
            put(f"{ours}.{our_out}.norm", joined(f"{theirs}.{block}", "LayerNorm"))
        theirs_b, ours_b = f"transformer.layer.{layer}", f"backbone.layers.{layer}"
        put(f"{ours_b}.qkv", joined(f"{theirs_b}.multi_head_attention", "query", "key", "value"))
        put(f"{ours_b}.out.linear", joined(f"{theirs_b}.multi_head_attention", "out_linear"))
        put(f"{ours_b}.out.norm", joined(f"{theirs_b}.multi_head_attention", "LayerNorm"))
        for our, their in ((ours, theirs), (ours_b, theirs_b)):
            put(f"{our}.feed_forward.inner", joined(f"{their}.feed_forward", "linear_1"))
            put(f"{our}.feed_forward.outer.linear", joined(f"{their}.feed_forward", "linear_2"))
            put(f"{our}.feed_forward.outer.norm", joined(f"{their}.feed_forward", "LayerNorm"))
    return weights


@pytest.fixture(scope="module")
def model(golden):
    config = config_of(
        "cocorec",
        40,
        views=3,
        codes=6,
        codebook_size=8,
        text_dim=16,
        dim=16,
        heads=2,
        fusion_heads=2,
        ffn_dim=32,
        fusion_ffn_dim=32,
        max_history=10,
        dropout=0.0,
        fusion_dropout=0.0,
        learnable_mask=False,
        repeat_bias=False,
        text_residual=False,
    )
    model = CoCoRec(config).double()
    weights = authors_weights(golden)
    model.load_state_dict(weights, strict=True)
    present = torch.ones(40, 3, dtype=torch.bool)
    model.set_items(Catalogue(40, golden["codes"].cpu(), 8, golden["text"].cpu(), present))
    return model.to(golden["codes"].device)


@pytest.fixture(scope="module")
def run(golden, model):
    """One plain and one masked pass as training does them, and the gradients of the loss."""
    real = golden["item_seq"] > 0
    items = golden["item_seq"][real]
    packing = Packing.of_lengths(golden["seq_len"])
    last = torch.cumsum(golden["seq_len"], 0) - 1
    history, candidate = model.encode(torch.arange(1, 41, device=items.device))
    outputs = model.backbone(history[items - 1], packing)
    masked = model.encoder(items, golden["masked_codes"][real])
    masked_outputs = model.backbone(masked.history(), packing)
    chosen = golden["mask_labels"][real] >= 0
    rows = model.encoder.rows[items]
    temperature = float(golden["temperature"])
    users, masked_users = outputs[last], masked_outputs[last]
    losses = {
        "loss_rec": recommendation(users, candidate, golden["target"] - 1, temperature),
        "loss_mcm": masked_code_modelling(
            masked.codes, model.encoder.table, rows, chosen, temperature, mcm_softmax="table"
        ),
        "loss_msa": masked_sequence_alignment(users, masked_users, temperature),
    }
    losses["loss"] = (
        losses["loss_rec"] + golden["mcm_weight"] * losses["loss_mcm"] + golden["msa_weight"] * losses["loss_msa"]
    )
    model.zero_grad()
    losses["loss"].backward()
    return {
        "users": users,
        "masked_users": masked_users,
        "fused": model.encoder(items).codes,
        "candidate": candidate,
        "real": real,
        **losses,
    }


def same(actual, expected):
    torch.testing.assert_close(actual.detach(), expected, **TOLERANCE)


def test_sequence_outputs(run, golden):
    same(run["users"], golden["sequence_output"])
    same(run["masked_users"], golden["masked_sequence_output"])


def test_fused_codes(run, golden):
    same(run["fused"], golden["fused_codes"][run["real"]])


def test_item_table_and_scores(run, golden):
    same(run["candidate"], golden["item_table"][1:])
    normal = torch.nn.functional.normalize
    same(normal(run["users"], dim=-1) @ normal(run["candidate"], dim=-1).T, golden["scores"][:, 1:])


@pytest.mark.parametrize("name", ["loss_rec", "loss_mcm", "loss_msa", "loss"])
def test_losses(run, golden, name):
    same(run[name], golden[name])


def test_gradients(run, model, golden):
    same(model.encoder.table.grad, golden["grad__query_code_embedding.weight"])
    same(model.backbone.position.grad, golden["grad__position_embedding.weight"])


def test_item_tables_and_read_agree_with_training_pass(run, model, golden):
    model.eval()
    history, candidate = model.item_tables()
    same(candidate[1:], golden["item_table"][1:])
    items = golden["item_seq"][golden["item_seq"] > 0]
    same(model.read(history, items, Packing.of_lengths(golden["seq_len"])), golden["sequence_output"])
