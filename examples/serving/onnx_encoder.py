"""What comes after a history, from the files of `cocorec export` with onnxruntime, numpy and pyarrow alone.

    python onnx_encoder.py artifacts/export ITEM_ID ITEM_ID ...

The items are in the order in which they were taken; ids that are not in the catalogue are passed over.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pyarrow.parquet as pq

TOP = 10


def recommend(folder: Path, item_ids: list[str]) -> list[tuple[str, float]]:
    """Ids of the best items and their scores, the same as the model's."""
    described = json.loads((folder / "export.json").read_text())
    table = pq.read_table(folder / "item_vectors.parquet")
    ids = table["item_id"].to_pylist()
    vectors = np.stack(table["vector"].to_numpy())
    number = {item_id: place + 1 for place, item_id in enumerate(ids)}

    length, bias = described["max_history"], described["repeat_bias"]
    known = [number[item_id] for item_id in item_ids if item_id in number]
    history = known[-length:]
    padded = np.zeros((1, length), np.int64)
    padded[0, : len(history)] = history
    session = onnxruntime.InferenceSession(str(folder / "user_encoder.onnx"), providers=["CPUExecutionProvider"])
    [user] = session.run(["vector"], {"items": padded})

    scores = vectors @ user[0] + table["bias"].to_numpy()
    for age, item in enumerate(reversed(history)):
        if item not in history[len(history) - age :]:  # not taken again since
            scores[item - 1] = scores[item - 1] + bias[age] if bias else -np.inf
    for item in set(known[:-length]) - set(history):
        scores[item - 1] = scores[item - 1] + bias[-1] if bias else -np.inf
    if described["recent"]:
        pairs = pq.read_table(folder / "pair_bias.parquet")
        near, partners, added = pairs["item"].to_numpy(), pairs["partner"].to_numpy(), pairs["bias"]
        for age, item in enumerate(history[::-1][: described["recent"]]):
            for place in np.flatnonzero((near == item) & ~np.isin(partners, history)):
                scores[partners[place] - 1] += added[place].as_py()[age]
    best = np.argsort(-scores, kind="stable")[:TOP]
    return [(ids[place], float(scores[place])) for place in best]


if __name__ == "__main__":
    for item_id, score in recommend(Path(sys.argv[1]), sys.argv[2:]):
        print(f"{score:.6f}  {item_id}")
