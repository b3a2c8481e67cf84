import shutil

import pytest

from stages.artifacts.names import CODES, EMBEDDINGS, MODEL_CONFIG, MODEL_WEIGHTS
from stages.frame.reporter import Reporter
from stages.serve.options import ServeOptions
from stages.serve.reload import Reloader
from stages.serve.snapshot import ChangedMeanwhileError, file_states, load_snapshot

OPTIONS = ServeOptions(device="cpu")


class Watched:
    """A reloader of a work directory, and what it said and counted."""

    def __init__(self, workdir):
        self.workdir, self.loads, self.said, self.warned, self.observed = workdir, 0, [], [], []
        self.before_load = lambda: None
        self.reloader = Reloader(
            load_snapshot(workdir, OPTIONS, Reporter()),
            self.load,
            lambda: file_states(workdir),
            poll_seconds=0.1,
            say=self.said.append,
            warn=self.warned.append,
            observe=self.observed.append,
        )

    def load(self):
        self.loads += 1
        self.before_load()
        return load_snapshot(self.workdir, OPTIONS, Reporter())

    def look(self, times=2):
        for _ in range(times):
            self.reloader.look()


@pytest.fixture
def watched(trained):
    return Watched(trained)


@pytest.fixture(scope="module")
def another(trained_once, train_small, tmp_path_factory):
    """The folder ``model`` of another training."""
    folder = shutil.copytree(trained_once, tmp_path_factory.mktemp("another") / "artifacts")
    train_small(folder, seed=7)
    return folder / "model"


def replace_model(workdir, another):
    for name in (MODEL_WEIGHTS, MODEL_CONFIG):
        made = workdir / f"{name}.new"
        shutil.copy(another / name.rpartition("/")[2], made)
        made.replace(workdir / name)


def test_nothing_happens_where_nothing_changes(watched):
    first = watched.reloader.current
    watched.look(5)
    assert (watched.loads, watched.reloader.current) == (0, first)


def test_a_new_model_is_taken_once_it_has_settled(watched, trained, another):
    first = watched.reloader.current
    replace_model(trained, another)
    watched.look(1)
    assert watched.loads == 0
    watched.look(4)
    assert watched.loads == 1
    assert watched.reloader.current.version != first.version
    assert watched.reloader.problem is None
    assert watched.observed == [watched.reloader.current]
    assert watched.reloader.current.version in watched.said[0]


def test_half_a_model_is_not_taken_and_the_whole_one_is(watched, trained, another):
    first = watched.reloader.current
    shutil.copy(another / "model.safetensors", trained / MODEL_WEIGHTS)
    watched.look(5)
    assert watched.loads == 1  # tried again only when a file changes
    assert watched.reloader.current is first
    assert "different training runs" in watched.reloader.problem
    assert watched.observed == [None]
    replace_model(trained, another)
    watched.look()
    assert watched.reloader.current is not first
    assert watched.reloader.problem is None


@pytest.mark.parametrize("name", [MODEL_WEIGHTS, MODEL_CONFIG, CODES, EMBEDDINGS])
def test_damaged_and_missing_files(watched, trained, name):
    first, whole = watched.reloader.current, (trained / name).read_bytes()
    (trained / name).write_bytes(whole[: len(whole) // 2])
    watched.look()
    (trained / name).unlink()
    watched.look()
    assert watched.loads == 2
    assert watched.reloader.current is first
    assert all(name.rpartition("/")[2] in line for line in watched.warned)
    (trained / name).write_bytes(whole)
    watched.look()
    assert watched.reloader.problem is None
    assert watched.reloader.current is first  # the same contents


def test_files_that_change_while_they_are_read_are_read_again(watched, trained, another):
    first = watched.reloader.current
    replace_model(trained, another)

    def change():
        watched.before_load = lambda: None
        raise ChangedMeanwhileError("items.parquet changed while it was read")

    watched.before_load = change
    watched.look(4)
    assert watched.loads >= 2
    assert watched.reloader.current is not first


def test_too_little_memory_is_no_end(watched, trained, another):
    replace_model(trained, another)

    def fail():
        raise MemoryError("of a\nlarge model")

    watched.before_load = fail
    watched.look()
    assert "MemoryError" in watched.reloader.problem
    assert watched.loads == 1


def test_the_thread_looks_by_itself(watched, trained, another):
    from served import until

    watched.reloader.start()
    replace_model(trained, another)
    until(lambda: watched.observed)
    watched.reloader.close()
    assert watched.reloader.problem is None
