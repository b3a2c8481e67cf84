"""What a user may like, from the files of `cocorec export` with faiss and pyarrow alone.

python search_index.py artifacts/export USER_ID [HOW_MANY]
"""

import json
import sys
from pathlib import Path

import faiss
import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq


def recommend(folder: Path, user_id: str, top: int) -> list[tuple[str, float]]:
    """Ids of the best items and their scores, the same as the model's."""
    described = json.loads((folder / "export.json").read_text())
    bias = described["repeat_bias"]
    items = pq.read_table(folder / "item_vectors.parquet")
    users = pq.read_table(folder / "user_vectors.parquet", filters=pc.field("user_id") == user_id)
    if not users.num_rows:
        sys.exit(f"there is no user {user_id}")
    user = np.array(users["vector"][0].as_py(), np.float32)
    history, older = users["items"][0].as_py(), users["older"][0].as_py()

    added = dict.fromkeys(history, 0.0)  # what is added to inner products, by item
    added |= dict.fromkeys(older, bias[-1] if bias else 0.0)
    own = items["bias"].to_numpy()
    for place in np.flatnonzero(own):
        added[int(place) + 1] = added.get(int(place) + 1, 0.0) + float(own[place])
    for age, item in enumerate(reversed(history)):
        if bias and item not in history[len(history) - age :]:  # not taken again since
            added[item] += bias[age]
    if recent := described["recent"]:
        last = history[-recent:]
        pairs = pq.read_table(folder / "pair_bias.parquet", filters=pc.field("item").isin(last)).to_pylist()
        for age, item in enumerate(reversed(last)):
            for pair in pairs:
                if pair["item"] == item and pair["partner"] not in history:
                    added[pair["partner"]] = added.get(pair["partner"], 0.0) + pair["bias"][age]

    # The index knows inner products alone: what something is added to is scored beside what it finds.
    index = faiss.read_index(str(folder / "index.faiss"))
    similarities, found = index.search(user[None], min(top + len(added), described["items"]))
    scores = {int(item): float(score) for item, score in zip(found[0], similarities[0], strict=True) if item > 0}
    for item, more in added.items():
        scores[item] = float(np.array(items["vector"][item - 1].as_py(), np.float32) @ user) + more
    if not bias:  # nothing was learnt of repeats: leave them out
        scores = {item: score for item, score in scores.items() if item not in history and item not in older}
    best = sorted(scores, key=lambda item: (-scores[item], item))[:top]
    return [(items["item_id"][item - 1].as_py(), scores[item]) for item in best]


if __name__ == "__main__":
    for item_id, score in recommend(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 10):
        print(f"{score:.6f}  {item_id}")
