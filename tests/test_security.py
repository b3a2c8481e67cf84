"""What the code must not do: unpickle, evaluate text, run code that comes with data, plant files at guessable names."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
FILES = sorted(path for folder in ("stages", "cocorec_cli") for path in (REPOSITORY / folder).rglob("*.py"))

MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "jsonpickle"}
"""Modules that turn data into running code."""

BUILTINS = {"eval", "exec", "compile", "__import__"}

GUESSABLE = {"mktemp", "tempnam", "tmpnam"}
"""Functions that give a name and no file, which somebody else may take first."""


def calls(tree: ast.AST) -> Iterator[tuple[str, str, ast.Call]]:
    """Every call as what stands before the last dot, the name, and the node."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield "", node.func.id, node
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield ast.unparse(node.func.value), node.func.attr, node


def imported(tree: ast.AST) -> set[str]:
    """Modules that are imported, inside functions as well, without what follows the first dot."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module).partition(".")[0])
    return found


def is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and bool(node.value)


def offences(source: str) -> list[str]:
    """What in a program text must not be there."""
    tree = ast.parse(source)
    found = [f"imports {name}" for name in sorted(imported(tree) & MODULES)]
    for owner, name, node in calls(tree):
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        if not owner and name in BUILTINS:
            found.append(f"{name}() in line {node.lineno}")
        if owner == "torch" and name == "load" and not is_true(given.get("weights_only", ast.Constant(False))):
            found.append(f"torch.load without weights_only in line {node.lineno}")
        if owner == "torch" and name == "save":
            found.append(f"torch.save, which pickles, in line {node.lineno}")
        if "allow_pickle" in given:
            found.append(f"allow_pickle in line {node.lineno}")
        # Only what the user asked for by an option of this name is handed on.
        trusted = given.get("trust_remote_code")
        if trusted is not None and ast.unparse(trusted) not in ("trust_remote_code", "False"):
            found.append(f"trust_remote_code in line {node.lineno}")
        if name in GUESSABLE:
            found.append(f"{name}() in line {node.lineno}")
        if "shell" in given or (owner, name) == ("os", "system"):
            found.append(f"a shell in line {node.lineno}")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_nothing_that_data_could_abuse(path: Path) -> None:
    assert offences(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "def f():\n    from joblib import load",
        "eval('1')",
        "exec(text)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.save(x, path)",
        "np.load(path, allow_pickle=True)",
        "Model(name, trust_remote_code=True)",
        "tempfile.mktemp()",
        "subprocess.run(command, shell=True)",
        "os.system('ls')",
    ],
)
def test_each_offence_is_seen(line: str) -> None:
    assert offences(line)


def test_remote_code_is_off_unless_asked_for() -> None:
    from inspect import signature

    from cocorec_cli.commands.embed import embed as command
    from stages.embed import EmbedOptions

    assert signature(command).parameters["trust_remote_code"].default is False
    assert EmbedOptions().trust_remote_code is False
