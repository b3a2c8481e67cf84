"""``export/README.md``: how other systems use what was exported, with the numbers of this very export."""

from collections.abc import Mapping
from typing import Any

from stages.artifacts.exported import MANIFEST
from stages.export.options import INDEX, ONNX, TORCH, VECTORS

_SCORES = """## The same ranking as the model's

The model's score of an item is the inner product of the user's and the item's vector, both of length 1.
"""

_BIAS = """The model adds to it a number for each item that the history holds already, by how long ago it was last
taken: the numbers are `repeat_bias` in `export.json`, the first for the last item of the history (age 0). So, of the
{length} items at most that are read:

```python
scores = user_vector @ item_vectors.T + item_bias  # column i is item i + 1
read = [item for item in history if item > 0][-{length}:]
for age, item in enumerate(reversed(read)):
    if item not in read[len(read) - age:]:  # not taken again since
        scores[item - 1] += repeat_bias[age]
for item in older:  # distinct items of the history before those that are read, and not among them
    scores[item - 1] += repeat_bias[-1]
```

{pairs}An index knows nothing of this. Ask it for as many more items as the history holds, compute the inner
products of the history's own items besides, add their numbers, and sort again.
"""

_PAIRS = """Items that stood near each other in other histories, or whose texts are near: `pair_bias.parquet` has for
each `item` its partners and a `bias` for each age of the item, 0 to {last}. It is added to partners that the history
does not hold:

```python
for age, item in enumerate(reversed(read[-{recent}:])):
    for partner, bias in pair_bias.get(item, ()):
        if partner not in read:
            scores[partner - 1] += bias[age]
```

"""

_NO_BIAS = """The model has learnt nothing of how often people take an item again: `cocorec recommend` leaves out what
the history holds, and so should others.
"""

_ENCODER = """## The user encoder

One input, `items`: int64, (batch, {length}), any batch from 1. Each row is a history of item numbers, oldest first.
0 is no item and is passed over wherever it stands: pad on the right or on the left, and put 0 for an item that is not
known. Of a longer history give the last {length} known items. Numbers above {items} are an error.

One output, `vector`: float32, (batch, {dim}), of length 1; zeros for a history without any item. What the model adds
for items of the history is not in it, see above.
"""

_TORCH = """
```python
program = torch.export.load("user_encoder.pt2").module()
vectors = program(torch.tensor(rows))
```
"""

_ONNX = """
```python
session = onnxruntime.InferenceSession("user_encoder.onnx")
[vectors] = session.run(["vector"], {"items": numpy.array(rows, numpy.int64)})
```
"""

_INDEX = """## The index

`index.faiss`, of the kind {kind}, searches by inner product; its ids are item numbers. Of the {top} exact best items of
{users:,} users it finds the share {recall:.4f} (recall@{top}).

```python
index = faiss.read_index("index.faiss")
similarities, items = index.search(vectors, 10)
```
"""

_VECTORS = """## The vectors

`item_vectors.parquet`: `item` (int32, the number, 1 to {items:,}), `item_id` (string), `vector` (float32, {dim}),
`bias` (float32, what the model adds to an item that training never saw), in the order of the numbers.

`user_vectors.parquet`: `user_id` (string), `items` (list of int32, what was read of the history, oldest first),
`older` (list of int32, distinct items before those and not among them), `vector` (float32, {dim}): the {users:,} users
of `histories.parquet`.
"""


def guide(manifest: Mapping[str, Any], formats: tuple[str, ...]) -> str:
    """The text, for what was exported."""
    numbers = {"items": manifest["items"], "dim": manifest["dim"], "length": manifest["max_history"]}
    bias, recent = manifest["repeat_bias"], manifest["recent"]
    pairs = _PAIRS.format(recent=recent, last=recent - 1) if recent else ""
    parts = [
        f"# What the model {manifest['model']} knows, for other systems\n\n"
        f"Made by `cocorec export`. `{MANIFEST}` says the same for programs, with a SHA-256 of each file; it is\n"
        "written last, so that files which are not as it says are half-written.\n"
    ]
    if VECTORS in formats:
        parts.append(_VECTORS.format(users=manifest["users"], **numbers))
    parts += [_SCORES, _BIAS.format(pairs=pairs, **numbers) if bias else pairs + _NO_BIAS]
    if TORCH in formats or ONNX in formats:
        parts.append(_ENCODER.format(**numbers))
        parts += [text for name, text in ((TORCH, _TORCH), (ONNX, _ONNX)) if name in formats]
    if INDEX in formats:
        parts.append(_INDEX.format(**manifest["index"]))
    return "\n".join(parts)
