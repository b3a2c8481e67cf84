"""One flipped byte anywhere in any artifact is found and named; so are files cut short and files under a wrong name."""

import json
import random
import shutil
from pathlib import Path

import pytest

from stages.artifacts import names
from stages.artifacts.digest import file_state
from stages.artifacts.fingerprints import CACHE, Fingerprints
from stages.artifacts.pipeline import PIPELINE
from stages.artifacts.status import workdir_status

SEED = 7
FLIPS = 36

ARTIFACTS = [name for stage in PIPELINE for name in stage.outputs]
LAST, BEST = (f"{names.CHECKPOINT_DIR}/{name}" for name in ("last.safetensors", "best-*.safetensors"))

READERS = {
    names.ITEMS: ["embed"],
    names.SEQUENCES: ["train"],
    names.EMBEDDINGS: ["quantize"],
    names.CODES: ["train"],
    names.QUANTIZER: ["quantize", "--codebooks", f"artifacts/{names.QUANTIZER}", "--workdir", "other"],
    names.MODEL_CONFIG: ["evaluate"],
    names.MODEL_WEIGHTS: ["evaluate"],
    names.HISTORIES: ["recommend"],
    names.METRICS: ["compare", f"artifacts/{names.METRICS}", "again=whole"],
    names.RANKS: ["compare", "artifacts", "again=whole"],
    LAST: ["train"],
    BEST: ["train"],
}
"""A command that reads each file, with options that differ from those of the run where it would have nothing to do."""

MORE = {
    "embed": ["--normalize"],
    "quantize": ["--seed", "1"],
    "evaluate": ["--resamples", "50"],
    "recommend": ["--top", "5"],
}


def offsets(size):
    """Seeded places in a file of so many bytes: its ends, where formats keep their metadata, and all over."""
    rng = random.Random(f"{SEED}/{size}")
    ends = {0, 5, size - 1, size - 6, *(rng.randrange(max(0, size - 3000), size) for _ in range(FLIPS // 3))}
    return sorted(ends | {rng.randrange(size) for _ in range(FLIPS - len(ends))})


def flipped(content, offset):
    damaged = bytearray(content)
    damaged[offset] ^= 1 << (offset % 8)
    return bytes(damaged)


def remember(path):
    """Let the cache of fingerprints take a damaged file for the whole one, as if its disk had lost a bit."""
    workdir = next(folder for folder in path.parents if folder.name == "artifacts")
    (workdir / CACHE).unlink(missing_ok=True)
    content = path.read_bytes()
    shutil.copyfile(workdir.with_name("whole") / path.relative_to(workdir), path)
    Fingerprints(workdir).of(path)
    path.write_bytes(content)
    known = json.loads((workdir / CACHE).read_text())
    known[str(path)][:-1] = file_state(path.stat())
    (workdir / CACHE).write_text(json.dumps(known))


@pytest.fixture(scope="module")
def folder(shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the undisturbed run that tests damage and mend."""
    folder = tmp_path_factory.mktemp("damaged") / "shop"
    shutil.copytree(shop.folder, folder)
    shutil.copytree(folder / "artifacts", folder / "whole")
    shop_files = [names.ITEMS, names.EMBEDDINGS]
    (folder / "other").mkdir()
    for name in shop_files:
        shutil.copy2(folder / "artifacts" / name, folder / "other" / name)
    return folder


@pytest.fixture
def damaged(folder, request):
    """The file that a test damages; it is mended afterwards."""
    [path] = (folder / "artifacts").glob(request.param)
    content = path.read_bytes()
    yield path
    path.write_bytes(content)


@pytest.mark.parametrize("damaged", [*ARTIFACTS, LAST, BEST], indirect=True)
def test_status_finds_every_flipped_byte(folder, damaged):
    content = damaged.read_bytes()
    name = damaged.relative_to(folder / "artifacts").as_posix()
    for offset in offsets(len(content)):
        damaged.write_bytes(flipped(content, offset))
        states = {status.file: status for status in workdir_status(folder / "artifacts", verify=True)}
        assert states.get(name) and states[name].state == "damaged", (name, offset, states.get(name))
        assert damaged.name in states[name].reason, (name, offset)
    for cut in (0, 1, len(content) // 2, len(content) - 1):
        damaged.write_bytes(content[:cut])
        states = {status.file: status.state for status in workdir_status(folder / "artifacts", verify=True)}
        assert states.get(name) == "damaged", (name, cut)


@pytest.mark.parametrize("damaged", READERS, indirect=True)
def test_whoever_reads_it_refuses_it(folder, damaged, warm, arguments):
    content = damaged.read_bytes()
    pattern = next(name for name in READERS if damaged.match(name))
    command, *more = READERS[pattern]
    given = [*arguments.get(command, [command]), *MORE.get(command, []), *more]
    chosen = offsets(len(content))[:: FLIPS // 6]
    damages = [*(flipped(content, offset) for offset in chosen), content[:-1], content[: len(content) // 2], b""]
    for number, damage in enumerate(damages):
        damaged.write_bytes(damage)
        if number % 2:
            remember(damaged)
        if command == "train":
            (folder / "artifacts" / names.MODEL_CONFIG).unlink(missing_ok=True)
        ended = warm(*given, cwd=folder)
        assert ended.code == 3, ended
        assert damaged.name in ended.err, ended.err
        assert "hint: " in ended.err
        assert "Traceback" not in ended.err
    shutil.copy2(folder / "whole" / names.MODEL_CONFIG, folder / "artifacts" / names.MODEL_CONFIG)


@pytest.mark.parametrize(
    ("damaged", "other"),
    [
        (names.ITEMS, names.SEQUENCES),
        (names.ITEMS, names.EMBEDDINGS),
        (names.SEQUENCES, names.ITEMS),
        (names.SEQUENCES, names.RANKS),
        (names.EMBEDDINGS, names.CODES),
        (names.EMBEDDINGS, names.ITEMS),
        (names.CODES, names.EMBEDDINGS),
        (names.CODES, names.HISTORY),
        (names.QUANTIZER, names.MODEL_WEIGHTS),
        (names.MODEL_WEIGHTS, names.QUANTIZER),
        (names.HISTORIES, names.ITEMS),
        (names.HISTORIES, names.RECOMMENDATIONS),
        (names.MODEL_CONFIG, names.METRICS),
        (names.METRICS, names.MODEL_CONFIG),
        (names.RANKS, names.SEQUENCES),
        (LAST, names.MODEL_WEIGHTS),
        (BEST, names.MODEL_WEIGHTS),
    ],
    indirect=["damaged"],
)
def test_another_file_under_its_name(folder, damaged, other, warm, arguments):
    pattern = next(name for name in READERS if damaged.match(name))
    command, *more = READERS[pattern]
    shutil.copyfile(folder / "whole" / other, damaged)
    if command == "train":
        (folder / "artifacts" / names.MODEL_CONFIG).unlink(missing_ok=True)
    ended = warm(*arguments.get(command, [command]), *MORE.get(command, []), *more, cwd=folder)
    shutil.copy2(folder / "whole" / names.MODEL_CONFIG, folder / "artifacts" / names.MODEL_CONFIG)
    assert ended.code == 3, ended
    assert damaged.name in ended.err, ended.err
    assert "Traceback" not in ended.err


def test_best_weights_of_another_run(folder, warm, arguments):
    """Of the same sizes and epoch, which nothing but their own note of the run gives away."""
    given = arguments["train"]
    second = shutil.copytree(folder / "whole", folder / "second")
    assert warm(*given, "--seed", "1", "--workdir", "second", cwd=folder).code == 0
    [mine] = (folder / "artifacts").glob(BEST)
    [theirs] = second.glob(BEST)
    content = mine.read_bytes()
    mine.write_bytes(theirs.read_bytes())
    (folder / "artifacts" / names.MODEL_CONFIG).unlink()
    ended = warm(*given, cwd=folder)
    mine.write_bytes(content)
    assert ended.code == 3, ended
    assert f"{mine.name} is of another run" in ended.err
    assert "--no-resume" in ended.err
    ended = warm(*given, cwd=folder)
    assert (ended.code, "continuing the run" in ended.err) == (0, True)
    assert (folder / "artifacts" / names.MODEL_WEIGHTS).read_bytes() == (
        folder / "whole" / names.MODEL_WEIGHTS
    ).read_bytes()
