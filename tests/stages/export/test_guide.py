import json
import re

import numpy as np
import pyarrow.parquet as pq

from stages.export.biases import Biases, consumer_scores
from stages.export.guide import guide


def test_the_recipe_gives_the_models_scores(exported_once, reader):
    folder = exported_once / "export"
    first, second = re.findall(
        r"```python\n((?:scores =|for age).*?)```", (folder / "README.md").read_text(), re.DOTALL
    )
    table = pq.read_table(folder / "item_vectors.parquet")
    items, own = np.stack(table["vector"].to_numpy()), table["bias"].to_numpy()
    users = pq.read_table(folder / "user_vectors.parquet")
    bias = json.loads((folder / "export.json").read_text())["repeat_bias"]
    pairs: dict[int, list[tuple[int, list[float]]]] = {}
    for pair in pq.read_table(folder / "pair_bias.parquet").to_pylist():
        pairs.setdefault(pair["item"], []).append((pair["partner"], pair["bias"]))
    for row in range(0, 300, 17):
        history, user = users["items"][row].as_py(), np.array(users["vector"][row].as_py(), np.float32)
        names = {"user_vector": user, "item_vectors": items, "item_bias": own, "history": [0, *history]}
        older = users["older"][row].as_py()
        names |= {"repeat_bias": bias, "pair_bias": pairs, "older": older}
        exec(compile(first + second, "README.md", "exec"), names)
        [expected] = consumer_scores(np.array([history]), user[None], items, Biases.of(reader.model))
        expected[np.array(older, int) - 1] += bias[-1]
        np.testing.assert_allclose(names["scores"], expected, atol=1e-5)


def test_it_tells_of_what_was_exported_alone(exported_once):
    manifest = json.loads((exported_once / "export" / "export.json").read_text())
    text = guide(manifest, ("vectors",))
    assert "## The vectors" in text and "## The index" not in text and "## The user encoder" not in text
    assert "onnx" not in guide(manifest, ("torch",)) and "user_encoder.pt2" in guide(manifest, ("torch",))
    assert "leaves out what\nthe history holds" in guide({**manifest, "repeat_bias": []}, ("vectors",))


def test_its_numbers_are_those_of_this_export(exported_once):
    text = (exported_once / "export" / "README.md").read_text()
    assert "(batch, 6)" in text and "(batch, 16)" in text and "1 to 60" in text and "300 users" in text
