import numpy as np
import pytest
from models import config_of

from stages.artifacts.errors import UsageError
from stages.artifacts.sequences import Sequences
from stages.model.base import training_items
from stages.model.registry import MODELS, model_class


@pytest.mark.parametrize("name", MODELS)
def test_ids_are_for_models_that_have_a_place_for_them(name):
    found, config = model_class(name), config_of(name, 5, with_ids=True)
    if found.takes_ids:
        found.check(config)
    else:
        with pytest.raises(UsageError, match=f"--with-ids is for models of texts or codes, not for {name}"):
            found.check(config)
    found.check(config_of(name, 5))


def test_training_items_leave_out_what_is_to_be_found():
    items = np.array([1, 2, 3, 4, 5, 6], np.int32)
    sequences = Sequences(items, np.array([0, 3, 3, 6]), np.array([1, 0, 2]), np.array([2, 0, 2]))
    found, users = training_items(sequences)
    assert found.tolist() == [1, 4, 5]
    assert users.tolist() == [0, 2, 2]
