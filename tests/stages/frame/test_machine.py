import pytest

from stages.artifacts.errors import UsageError
from stages.frame.machine import LOCAL, RAY, check_engine
from stages.frame.options import Options, declarations


def test_an_address_needs_the_engine_that_uses_it() -> None:
    check_engine(LOCAL, None)
    check_engine(RAY, None)
    with pytest.raises(UsageError, match=r"^--address is that of a Ray cluster"):
        check_engine(LOCAL, "auto")


@pytest.mark.parametrize("address", ["auto", "head:6379", "10.0.0.7:6379", "[fd00::7]:6379"])
def test_addresses_of_clusters(address: str) -> None:
    check_engine(RAY, address)


@pytest.mark.parametrize("address", ["", "head", "head:", ":6379", "ray://head:10001", "http://head:8265", "head:port"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(UsageError, match="is no address of a Ray cluster"):
        check_engine(RAY, address)


def test_a_cluster_and_processes_exclude_each_other() -> None:
    check_engine(LOCAL, None, 2)
    with pytest.raises(UsageError, match="--processes and --engine ray"):
        check_engine(RAY, "auto", 1)


def test_four_stages_have_the_options_and_record_neither() -> None:
    import importlib

    having = set()
    for stage in ("preprocess", "embed", "quantize", "train", "evaluate", "recommend", "export", "serve", "tune"):
        found: type[Options] = getattr(importlib.import_module(f"stages.{stage}.options"), f"{stage.title()}Options")
        own = {one.name: one for one in declarations(found)}
        assert ("engine" in own) == ("address" in own)
        if "engine" in own:
            having.add(stage)
            assert not any(own[name].option.recorded or own[name].option.searched for name in ("engine", "address"))
    assert having == {"preprocess", "embed", "quantize", "recommend"}
