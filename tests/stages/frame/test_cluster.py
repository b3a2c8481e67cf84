import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import stages.frame.cluster as module
from stages.artifacts.errors import DataError, UsageError
from stages.frame.cluster import Cluster, cluster
from stages.frame.reporter import Reporter


@pytest.fixture(autouse=True)
def sent_as_a_whole() -> None:
    """Workers cannot import tests."""
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])


def fail() -> None:
    raise DataError("row 7 is odd", "Mend it.")


def counter(start: int) -> Callable[[int], tuple[int, int]]:
    import time

    made = os.getpid()

    def count(number: int) -> tuple[int, int]:
        time.sleep(0.02)
        return start + number, made

    return count


def broken() -> Callable[[], None]:
    raise UsageError("--model tiny: no such folder")


def test_what_a_task_raises_is_told_as_it_is(ray_cluster: Any) -> None:
    shared = Cluster(ray_cluster)
    with pytest.raises(DataError) as caught:
        shared.get(shared.task(fail).remote())
    assert type(caught.value) is DataError
    assert (caught.value.message, caught.value.hint) == ("row 7 is odd", "Mend it.")


def larger(one: int, other: int) -> int:
    return max(one, other)


def test_tasks_come_back_in_order_and_are_asked_for_as_they_are_needed(ray_cluster: Any) -> None:
    asked = 0

    def jobs() -> Iterator[tuple[int]]:
        nonlocal asked
        for asked in range(1, 13):
            yield (asked,)

    found = Cluster(ray_cluster).mapped(larger, 5, jobs())
    assert next(found) == 5
    assert asked <= 7
    assert list(found) == [5, 5, 5, 5, 6, 7, 8, 9, 10, 11, 12]


def test_actors_make_once_and_one_that_is_killed_is_made_good(ray_cluster: Any) -> None:
    asked = 0

    def jobs() -> Iterator[tuple[int]]:
        nonlocal asked
        for asked in range(60):
            yield (asked,)

    results = Cluster(ray_cluster).share_out(counter, (100,), jobs())
    found = [next(results)]
    assert asked <= 7
    first = found[0][1]
    os.kill(first, signal.SIGKILL)  # one that has given a result, so that its place takes a third process
    found += results
    assert [value for value, _ in found] == list(range(100, 160))
    assert found[-1][1] != first
    assert len({process for _, process in found}) == 3  # two actors, and the one that came for the killed one


def test_what_goes_wrong_in_an_actor_is_told_as_it_is(ray_cluster: Any) -> None:
    with pytest.raises(UsageError, match=r"^--model tiny: no such folder$"):
        list(Cluster(ray_cluster).share_out(broken, (), [()], most=1))


def test_workers_have_what_is_here(ray_cluster: Any, tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text("a")
    Cluster(ray_cluster).check_workers([file, tmp_path], ["numpy", "polars"])


def test_a_file_that_workers_do_not_see_is_named(ray_cluster: Any) -> None:
    own = Path(f"/proc/self/task/{os.getpid()}")  # of this process alone
    assert own.exists()
    with pytest.raises(DataError, match=rf"^the worker [\d.]+ does not see {own}"):
        Cluster(ray_cluster).check_workers([own], [])


@pytest.mark.parametrize(("package", "told"), [("nowhere", "has no nowhere"), ("numpy", r"has numpy [\d.]+, this")])
def test_a_worker_without_the_packages_is_named(
    ray_cluster: Any, monkeypatch: pytest.MonkeyPatch, package: str, told: str
) -> None:
    monkeypatch.setattr(module, "_version", lambda name: "0.0.1")
    with pytest.raises(DataError, match=rf"^the worker [\d.]+ {told}"):
        Cluster(ray_cluster).check_workers([], [package])


def test_a_connection_that_is_there_is_used_and_stays(ray_cluster: Any) -> None:
    with cluster(None, Reporter()) as shared:
        assert shared.processors == 2
    assert ray_cluster.is_initialized()


def test_there_are_no_gpus_to_compute_on(ray_cluster: Any) -> None:
    shared = Cluster(ray_cluster)
    assert [shared.device(asked) for asked in ("auto", "cpu")] == ["cpu", "cpu"]
    with pytest.raises(UsageError, match="--device cuda:1: the Ray cluster has no GPU"):
        shared.device("cuda:1")


CONNECT = """
import sys
from stages.artifacts.errors import CocorecError
from stages.frame.cluster import cluster
from stages.frame.reporter import Reporter
try:
    with cluster(sys.argv[1], Reporter()) as shared:
        found = shared.processors
    print(found)
except CocorecError as error:
    print(error.message)
    sys.exit(error.exit_code)
"""


def connect(address: str, code: str = CONNECT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, address], capture_output=True, text=True, check=False)


def test_a_cluster_that_is_there_is_found_by_its_address(ray_cluster: Any) -> None:
    done = connect(ray_cluster.get_runtime_context().gcs_address)
    assert (done.returncode, done.stdout, done.stderr) == (0, "2\n", "")


def test_an_address_without_an_answer_is_told() -> None:
    done = connect("127.0.0.1:1")
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout == "--address 127.0.0.1:1: there is no answer (Connection refused)\n"


def test_that_ray_is_missing_is_told() -> None:
    done = connect("auto", "import sys; sys.modules['ray'] = None" + CONNECT)
    assert done.returncode == 2
    assert done.stdout.startswith("--engine ray needs Ray, which cannot be imported")


def test_termination_is_left_to_those_who_had_it(ray_cluster: Any) -> None:
    code = CONNECT.replace("found =", "import signal; assert signal.getsignal(15) == 1; found =")
    address = ray_cluster.get_runtime_context().gcs_address
    done = connect(address, f"import signal; signal.signal({int(signal.SIGTERM)}, signal.SIG_IGN)" + code)
    assert (done.returncode, done.stderr) == (0, "")
