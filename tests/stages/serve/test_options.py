import pytest

from stages.artifacts.errors import UsageError
from stages.serve.options import ServeOptions


def test_this_machine_alone_by_default():
    assert ServeOptions().host == "127.0.0.1"


def test_a_default_list_that_no_request_may_ask_for():
    with pytest.raises(UsageError, match="--top 11 is above --max-top 10"):
        ServeOptions(top=11, max_top=10)
