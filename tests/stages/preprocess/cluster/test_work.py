"""The same files, byte for byte, whether this process or a cluster makes them."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from amazon_files import review
from killing import kill_worker
from published import HEADER, rows_of

import stages.preprocess.cluster.work as module
import stages.preprocess.histories.file as file_module
from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.names import HISTORIES, ITEMS, SEQUENCES
from stages.frame.reporter import Reporter
from stages.preprocess import PreprocessOptions, preprocess

Write = Callable[..., Path]


@pytest.fixture
def many_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small logs in many partitions, blocks and ranges of users."""
    monkeypatch.setattr(module, "partitions_of", lambda files: 5)
    monkeypatch.setattr(module, "rows_at_once", lambda partitions: 700)
    for where in (module, file_module):
        monkeypatch.setattr(where, "ROW_GROUP", 64)


def both(tmp_path: Path, inputs: list[Path], **options: Any) -> tuple[Any, Any]:
    """The results of both engines, whose files are held against each other."""
    results = []
    for engine in ("local", "ray"):
        given = PreprocessOptions(inputs=tuple(inputs), engine=engine, **options)
        results.append(preprocess(given, workdir=tmp_path / engine))
    for name in (ITEMS, SEQUENCES, HISTORIES):
        assert (tmp_path / "local" / name).read_bytes() == (tmp_path / "ray" / name).read_bytes(), name
    assert results[0].facts == results[1].facts
    assert results[0].warnings == results[1].warnings
    return results[0], results[1]


def made_up(rows: int, seed: int = 0) -> list[dict[str, Any]]:
    """Reviews in no order of time, with equal times, repeated rows and odd ids."""
    rng = random.Random(seed)
    found = []
    for _ in range(rows):
        user, item = rng.choice(["ü", "u", "U"]) + str(int(rng.paretovariate(0.7)) % 300), f"i{rng.randrange(150)}"
        found.append(
            review(user, item, 1_600_000_000_000 + rng.randrange(400) * 1000, rating=float(rng.randrange(1, 6)))
        )
        if rng.random() < 0.05:
            found.append(found[rng.randrange(len(found))])
    found[7]["user_id"], found[8]["parent_asin"], found[9]["user_id"] = None, "", "NULL"
    return found


def test_raw_reviews(ray_cluster: Any, many_parts: None, write: Write, tmp_path: Path) -> None:
    rows = made_up(3_000)
    texts = [{"parent_asin": f"i{number}", "title": f"thing {number}"} for number in range(0, 200, 3)]
    files = [
        write("a.jsonl.gz", rows[:1900]),
        write("b.jsonl", [*rows[1900:], review("u1", "A", 1), review("u1", "B", 2)]),
    ]
    local, _ = both(tmp_path, files, items=(write("meta.jsonl", texts),), k_core=10, keep_cold_items=True)
    assert local.facts["k_core_rounds"] > 1
    assert local.facts["interactions_at_equal_times"] > 0
    assert local.facts["doubtful_ids"] == {"user": {"NULL": 1}}


def test_dates_filters_and_bounds(ray_cluster: Any, many_parts: None, write: Write, tmp_path: Path) -> None:
    rng = random.Random(1)
    lines = ["who,what,when,stars"]
    for _ in range(2_500):
        day = f"2024-0{rng.randrange(1, 7)}-{rng.randrange(10, 28)}T{rng.randrange(10, 24)}:00:00"
        part = rng.choice(["", "", ".25", ".000001"])
        lines.append(f"u{rng.randrange(200)},i{rng.randrange(60)},{day}{part},{rng.randrange(1, 6)}")
    columns = {"user_column": "who", "item_column": "what", "time_column": "when", "rating_column": "stars"}
    filters = {"where": "stars < 5", "rating_min": 2.0, "since": "2024-02-01", "until": "2024-06-01", "repeats": "last"}
    local, _ = both(tmp_path, [write("log.csv", lines)], **columns, **filters, k_core=3)
    assert local.facts["time_unit"] == "us"
    assert len(local.facts["dropped"]) >= 5


def test_a_published_split_with_histories(ray_cluster: Any, many_parts: None, publish: Write, tmp_path: Path) -> None:
    rng = random.Random(2)
    parts: list[list[str]] = [[], [], []]
    for user in range(150):
        sequence = [f"i{item}" for item in rng.sample(range(80), rng.randrange(4, 9))]
        cut, last = (3 if user % 3 else None), len(sequence) - 1
        for part, positions in zip(parts, (range(1, last - 1), [last - 1], [last]), strict=True):
            part += rows_of(f"user{user}", sequence, positions, cut)
    train = publish(*parts)
    assert train.read_text().startswith(HEADER)
    local, _ = both(tmp_path, [train])
    assert local.facts["split"] == "published"
    both(tmp_path / "anew", [train], split="leave-one-out", k_core=2)


def test_a_log_without_times(ray_cluster: Any, many_parts: None, write: Write, tmp_path: Path) -> None:
    rng = random.Random(3)
    rows = [{"user_id": f"u{rng.randrange(90)}", "item_id": rng.randrange(40)} for _ in range(1_500)]
    local, _ = both(tmp_path, [write("log.jsonl", rows)], k_core=0)
    assert local.facts["users_with_times"] == 0


@pytest.mark.parametrize("targets", ["first", "last", "all"])
def test_a_split_in_time(ray_cluster: Any, many_parts: None, write: Write, tmp_path: Path, targets: str) -> None:
    files = [write("a.jsonl", made_up(2_000, 4))]
    local, _ = both(tmp_path, files, k_core=0, split="temporal", targets=targets, valid_share=0.3, test_share=0.4)
    assert local.facts["valid_targets_without_history"] > 0


class Killer(Reporter):
    """Kills a worker when a step of the work has begun."""

    def __init__(self, step: str, doing: str) -> None:
        self.step, self.doing, self.killed = step, doing, 0

    @contextmanager
    def track(self, label: str, total: int | None = None, unit: str = "") -> Iterator[Callable[[int], None]]:
        if label.startswith(self.step):
            self.killed = kill_worker(self.doing)
        yield lambda done: None


@pytest.mark.parametrize(("step", "doing"), [("reading", "read_blocks"), ("dividing", "gather")])
def test_a_worker_that_is_killed_is_made_good(
    ray_cluster: Any, many_parts: None, write: Write, tmp_path: Path, step: str, doing: str
) -> None:
    files = (write("a.jsonl", made_up(30_000 if doing == "read_blocks" else 3_000)),)
    killer = Killer(step, doing)
    preprocess(PreprocessOptions(inputs=files, engine="ray"), workdir=tmp_path / "ray", reporter=killer)
    assert killer.killed
    preprocess(PreprocessOptions(inputs=files), workdir=tmp_path / "local")
    for name in (ITEMS, SEQUENCES, HISTORIES):
        assert (tmp_path / "local" / name).read_bytes() == (tmp_path / "ray" / name).read_bytes()


def test_what_python_reads_and_the_engine_does_not(
    ray_cluster: Any, many_parts: None, write: Write, tmp_path: Path
) -> None:
    rows = [{"user_id": f"u{n % 40}", "item_id": f"i{n % 13}", "timestamp": 1_600_000_000 + n} for n in range(1_000)]
    lines = [str(row).replace("'", '"') for row in rows]
    lines[900] = lines[900].replace("}", ', "price": NaN}')
    both(tmp_path, [write("log.jsonl", lines)])


def test_malformed_lines_are_named(ray_cluster: Any, write: Write, tmp_path: Path) -> None:
    rows = [review(f"u{n % 7}", f"i{n % 5}", n) for n in range(200)]
    path = write("log.jsonl", [*rows, '{"user_id": '])
    with pytest.raises(DataError, match=r"log.jsonl: line 201 "):
        preprocess(PreprocessOptions(inputs=(path,), engine="ray"), workdir=tmp_path / "work")


def test_nothing_left_is_said_as_on_one_machine(ray_cluster: Any, write: Write, tmp_path: Path) -> None:
    path = write("log.jsonl", [review(f"u{n % 7}", f"i{n % 5}", n) for n in range(20)])
    messages = []
    for engine in ("local", "ray"):
        with pytest.raises(DataError) as caught:
            preprocess(PreprocessOptions(inputs=(path,), k_core=9, engine=engine), workdir=tmp_path / engine)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


@pytest.mark.parametrize(
    ("option", "given"),
    [
        ("--sample-users", {"sample_users": 5}),
        ("--cold-items", {"cold_items": 0.1}),
        ("--max-bad-rows", {"max_bad_rows": 1}),
    ],
)
def test_what_a_cluster_cannot_do_is_refused(tmp_path: Path, option: str, given: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"^{option} cannot be used with --engine ray"):
        preprocess(PreprocessOptions(inputs=(tmp_path / "log.csv",), engine="ray", **given), workdir=tmp_path / "work")
