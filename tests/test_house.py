"""The house's rules that no linter has: sizes, names, and what is public."""

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("stochi", "train", "export", "deploy", "sim")
LINES, PARAMETERS = 60, 7
COMPILED = ("sim/engine/compiled/", "train/twin/compiled_loop.py")
"""Loops that are compiled: numba inlines them, so their size costs nothing."""
FRONT_DOORS = {
    "deploy/pipeline.py:lower",
    "deploy/calibration.py:calibrate",
    "sim/backends.py:run",
    "stochi/parity/check.py:check_parity",
    "stochi/parity/ablation/comparison.py:ablate",
    "train/networks.py:small_conv_net",
    "train/neurons/random_tau_leaky.py:__init__",
    "train/twin/model.py:make_twin",
}
"""Public functions with more parameters; all but the first four are keyword-only."""
PACKAGES = (
    *("attacks", "data", "deploy", "export", "hardware", "parity", "program", "sim"),
    *("statistics", "study", "train"),
)


def sources() -> Iterator[tuple[str, ast.Module]]:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                yield path, node


def test_the_sources_are_found_once() -> None:
    paths = [path for path, _ in sources()]
    assert len(paths) == len(set(paths)) > 150
    assert not any(path.startswith("stochi/train/") for path in paths)


def test_no_function_is_long() -> None:
    long = {
        f"{path}:{node.name}": node.end_lineno - node.lineno + 1
        for path, node in functions()
        if node.end_lineno is not None
        and node.end_lineno - node.lineno >= LINES
        and not path.startswith(COMPILED)
    }
    assert long == {}


def test_no_function_has_many_parameters() -> None:
    many = {}
    for path, node in functions():
        arguments = node.args
        positional = [*arguments.posonlyargs, *arguments.args]
        if positional and positional[0].arg in ("self", "cls", "ctx"):
            positional = positional[1:]
        name = f"{path}:{node.name}"
        count = len(positional) + len(arguments.kwonlyargs)
        front_door = name in FRONT_DOORS or path.startswith("stochi/commands/")
        allowed = count <= PARAMETERS or (front_door and len(positional) <= 4)
        if not allowed and not path.startswith(COMPILED):
            many[name] = count
    assert many == {}


def test_modules_do_not_have_the_names_of_their_packages_functions() -> None:
    modules: dict[str, set[str]] = {}
    named: dict[str, set[str]] = {}
    for path, tree in sources():
        folder, _, file = path.rpartition("/")
        modules.setdefault(folder, set()).add(file.removesuffix(".py"))
        functions_here = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        named.setdefault(folder, set()).update(functions_here)
    assert {folder: modules[folder] & named[folder] for folder in modules} == {
        folder: set() for folder in modules
    }


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_shows_what_is_public_and_nothing_else(name: str) -> None:
    package = importlib.import_module(f"stochi.{name}")
    stub = (ROOT / "src/stochi" / name / "__init__.pyi").read_text(encoding="utf-8")
    listed = [
        alias.asname or alias.name
        for node in ast.parse(stub).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    assert dir(package) == sorted(listed) == sorted(package.__all__)
    for public in listed:
        assert getattr(package, public).__doc__


def test_an_editable_install_is_seen_by_tools_that_run_nothing() -> None:
    """Type checkers and editors follow paths, not import hooks: the links must lead somewhere."""
    for name in ("train", "export", "deploy", "sim"):
        link = ROOT / "src/stochi" / name
        assert (link / "__init__.pyi").samefile(ROOT / name / "__init__.pyi")


def test_starting_is_fast_because_torch_waits() -> None:
    code = (
        "import sys, stochi, stochi.sim, stochi.deploy, stochi.train, stochi.parity;"
        "print([m for m in ('torch', 'numba', 'snntorch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/")
    assert done.stdout.strip() == "[]", done.stderr
