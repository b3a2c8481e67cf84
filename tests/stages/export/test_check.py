import numpy as np
import pytest

from stages.artifacts.errors import CocorecError
from stages.export.check import difference


@pytest.mark.parametrize("wrong", [np.full((2, 3), 2e-5), np.full((2, 3), np.nan)])
def test_what_differs_is_a_mistake_of_ours(wrong):
    with pytest.raises(CocorecError, match="differs from the model") as caught:
        difference("user_encoder.onnx", wrong, np.zeros((2, 3), np.float32))
    assert caught.value.exit_code == 1
