"""The rules that keep the code easy to change: who may import whom, what works without which library, file sizes."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from whole_histories import write_histories

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = ("stages", "cocorec_cli")

MAY_IMPORT = {
    "artifacts": {"artifacts"},
    "frame": {"artifacts", "frame"},
    "download": {"artifacts", "frame", "download"},
    "preprocess": {"artifacts", "frame", "preprocess"},
    "embed": {"artifacts", "frame", "embed"},
    "quantize": {"artifacts", "frame", "whitening", "quantize"},
    "metrics": {"artifacts", "metrics"},
    "model": {"artifacts", "frame", "whitening", "model"},
    "train": {"artifacts", "frame", "metrics", "model", "train"},
    "evaluate": {"artifacts", "frame", "metrics", "model", "evaluate"},
    # It is handed the readers of preprocess.
    "recommend": {"artifacts", "frame", "model", "recommend"},
    "export": {"artifacts", "frame", "model", "export"},
    # It answers with what recommend makes, line for line.
    "serve": {"artifacts", "frame", "model", "recommend", "serve"},
    "compare": {"artifacts", "frame", "metrics", "compare"},
    # It is handed the comparison of runs.
    "report": {"artifacts", "frame", "metrics", "report"},
    # The search is handed the stages as functions.
    "tune": {"artifacts", "frame", "model", "tune"},
}
"""Which parts of ``stages`` each part may import."""

NEVER_IN_TRAINING = ("polars", "sentence_transformers", "transformers", "faiss")

BLOCKED = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ImportError(name + " is blocked")

sys.meta_path.insert(0, Blocker())
"""

MOST_LINES = 400
HOME = re.compile(r"(?<![\w.])/(?:work|home|root|Users|opt)/\w+")
"""Paths of somebody's machine."""

TEXT = {".py", ".md", ".toml", ".txt", ".sh", ".yml", ".yaml", ".json", ".cfg", ""}


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (REPOSITORY / folder).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, inside functions as well; ``from a import b`` counts as ``a.b``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a checkout")
    return [REPOSITORY / name for name in listed.stdout.split("\0") if name and (REPOSITORY / name).is_file()]


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_stages_import_artifacts_and_not_each_other(part):
    files = python_files(f"stages/{part}")
    assert files
    for path in files:
        for name in imports(path):
            top, _, rest = name.partition(".")
            assert top != "cocorec_cli", f"{path} imports the command line"
            # `stages` itself holds the version.
            if top == "stages" and rest != "__version__":
                assert rest.partition(".")[0] in MAY_IMPORT[part], f"{path} imports {name}"


def test_every_part_has_its_rule():
    parts = {path.name for path in (REPOSITORY / "stages").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert parts == set(MAY_IMPORT)


def test_the_command_line_imports_heavy_libraries_only_inside_functions():
    heavy = {"torch", "numpy", "polars", "pyarrow", "faiss", "sentence_transformers", "transformers", "safetensors"}
    heavy |= {"optuna", "ray", "sklearn", "fastapi", "uvicorn", "prometheus_client"}
    for path in python_files("cocorec_cli"):
        for name in imports(path):
            assert name.partition(".")[0] not in heavy, f"{path} imports {name}; let a stage do it"


def _without(blocked: tuple[str, ...], code: str, *args: str) -> subprocess.CompletedProcess[str]:
    program = BLOCKED.format(blocked=blocked) + code
    return subprocess.run(
        [sys.executable, "-c", program, *args], capture_output=True, text=True, timeout=300, check=False, cwd=REPOSITORY
    )


def test_the_blocker_blocks():
    done = _without(("polars",), "import polars")
    assert "polars is blocked" in done.stderr


def test_comparison_needs_not_even_torch():
    done = _without((*NEVER_IN_TRAINING, "torch", "scipy", "sklearn"), "import stages.compare")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("stage", ["train", "evaluate", "recommend", "serve.stage"])
def test_training_and_evaluation_need_only_torch_and_pyarrow(stage):
    done = _without(NEVER_IN_TRAINING, f"import stages.{stage}")
    assert (done.returncode, done.stderr) == (0, "")


def test_train_evaluate_and_recommend_run_with_only_torch_and_pyarrow(structured, small):
    options = [f"--{name.replace('_', '-')}={value}" for name, value in small.items()]
    code = "from cocorec_cli.main import main; sys.exit(main(sys.argv[1:]))"
    for command in (["train", "--epochs=2", *options], ["evaluate", "--resamples=10"]):
        done = _without(NEVER_IN_TRAINING, code, *command, f"--workdir={structured}", "--quiet")
        assert (done.returncode, done.stderr) == (0, "")
    assert (structured / "metrics.json").is_file()
    write_histories(structured)
    blocked = (*NEVER_IN_TRAINING, "narwhals", "pandas")
    for command in (["recommend", "--with=title"], ["similar", "item-001"], ["similar", "item-001", "--by=text"]):
        done = _without(blocked, code, *command, f"--workdir={structured}", "--quiet")
        assert (done.returncode, done.stderr) == (0, "")
    assert (structured / "recommendations.parquet").is_file()
    runs = [f"{name}={structured}" for name in ("once", "again")]
    done = _without((*NEVER_IN_TRAINING, "torch", "scipy"), code, "compare", *runs, "--resamples=10", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")


def test_training_and_evaluation_load_no_compiler(structured, small):
    """It is not used, and costs more than a second of CPU."""
    options = [f"--{name.replace('_', '-')}={value}" for name, value in small.items()]
    code = """
from cocorec_cli.main import main
code = main(sys.argv[1:])
sys.exit(code or [name for name in ("torch._dynamo", "torch._inductor") if name in sys.modules] or 0)
"""
    for command in (["train", "--epochs=2", *options], ["evaluate", "--resamples=10"]):
        done = _without((), code, *command, f"--workdir={structured}", "--quiet")
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "command",
    [
        "download",
        "init",
        "preprocess",
        "embed",
        "quantize",
        "train",
        "evaluate",
        "recommend",
        "similar",
        "export",
        "serve",
        "compare",
        "report",
        "run",
        "tune",
        "status",
        "help",
    ],
)
def test_help_needs_no_heavy_library(command):
    blocked = (*NEVER_IN_TRAINING, "torch", "numpy", "pyarrow", "safetensors", "sklearn", "optuna", "tomlkit", "jinja2")
    blocked += ("filelock", "fsspec", "httpx2", "psutil", "tenacity", "threadpoolctl")
    blocked += ("fastapi", "uvicorn", "prometheus_client", "ray")
    code = "from cocorec_cli.main import main; sys.exit(main(sys.argv[1:]))"
    done = _without(blocked, code, command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Usage: cocorec {command}" in done.stdout


def test_a_download_needs_no_heavy_library():
    blocked = (
        *NEVER_IN_TRAINING,
        "torch",
        "numpy",
        "pyarrow",
        "safetensors",
        "sklearn",
        "requests",
        "httpx",
        "urllib3",
    )
    done = _without(blocked, "import stages.download")
    assert (done.returncode, done.stderr) == (0, "")


def test_files_fit_in_one_sitting():
    for path in tracked():
        if path.suffix == ".py":
            lines = len(path.read_text(encoding="utf-8").splitlines())
            assert lines <= MOST_LINES, f"{path} has {lines} lines"


def test_no_file_names_a_path_of_a_machine():
    for path in tracked():
        if path.suffix in TEXT and path != Path(__file__):
            found = HOME.search(path.read_text(encoding="utf-8"))
            assert not found, f"{path}: {found and found[0]}"


def test_stages_are_typed():
    assert all((REPOSITORY / package / "py.typed").is_file() for package in PACKAGES)


def _strings(path: Path) -> set[str]:
    """Every text that a file's code holds, docstrings included."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_a_model_is_a_file_and_a_line():
    """Nobody asks for a model by its name: all that depends on it stands in its class."""
    from stages.model.registry import BACKBONES, MODELS

    files = [path for path in python_files(*PACKAGES) if path.name not in ("registry.py", "migration.py")]
    texts = {path: _strings(path) for path in files}
    for name, entry in {**MODELS, **BACKBONES}.items():
        own = REPOSITORY / (entry.target.partition(":")[0].replace(".", "/") + ".py")
        assert own.is_file()
        if name in ("text", "codes", "cocorec", "transformer", "popularity"):
            continue  # names of other things, or defaults, too
        for path in files:
            assert path == own or name not in texts[path], f"{path} asks for the model {name!r}"


def test_an_option_has_one_default():
    """No function or class repeats a default that the options of a stage declare."""
    import importlib

    from stages.frame.options import declarations

    stages = (
        "preprocess",
        "embed",
        "quantize",
        "train",
        "evaluate",
        "recommend",
        "export",
        "compare",
        "report",
        "serve",
        "tune",
        "download",
    )
    modules = {stage: importlib.import_module(f"stages.{stage}.options") for stage in stages}
    classes = [getattr(module, f"{stage.title()}Options") for stage, module in modules.items()]
    declared = {found.name for options in classes for found in declarations(options)}
    # Words that functions use for other things, too.
    shared = {"seed", "device", "threads", "precision", "top", "views", "items", "model", "format", "targets", "split"}
    shared |= {"name"}
    for path in python_files(*PACKAGES):
        if path.name == "options.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                known = [*node.args.posonlyargs, *node.args.args]
                defaults = dict(zip([a.arg for a in known][::-1], node.args.defaults[::-1], strict=False))
                defaults |= dict(zip([a.arg for a in node.args.kwonlyargs], node.args.kw_defaults, strict=True))
                for name, default in defaults.items():
                    repeated = name in declared - shared and isinstance(default, ast.Constant) and default.value
                    assert not repeated, f"{path}: {node.name}() has a default of its own for {name}"
