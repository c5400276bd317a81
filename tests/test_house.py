"""The house's rules that no linter has: sizes, names, and what is public."""

import ast
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LINES, PARAMETERS = 60, 7
COMPILED = (
    *(f"sim/engine/compiled/{name}.py" for name in ("kernel", "neurons", "synapses")),
    "train/twin/compiled_loop.py",
)
"""Loops that are compiled: numba inlines them, so their size costs nothing."""
FRONT_DOORS = {
    "attacks/catalogue.py:make_attack",
    "deploy/pipeline.py:lower",
    "deploy/calibration.py:calibrate",
    "sim/backends.py:run",
    "parity/check.py:check_parity",
    "parity/ablation/comparison.py:ablate",
    "train/networks.py:small_conv_net",
    "train/neurons/gated_leaky.py:__init__",
    "train/neurons/noisy_leaky.py:__init__",
    "train/training.py:train_classifier",
    "train/neurons/random_tau_leaky.py:__init__",
    "train/twin/model.py:make_twin",
}
"""Public functions with more parameters; all but the first four parameters are keyword-only."""
PACKAGES = (
    *("attacks", "data", "deploy", "export", "hardware", "parity", "program", "sim"),
    *("statistics", "study", "train"),
)


def sources(ending: str = ".py") -> Iterator[tuple[str, ast.Module]]:
    """Every module by its path below ``stochi/``, which the links complete."""
    for folder, _, files in os.walk(ROOT / "src/stochi", followlinks=True):
        for file in sorted(files):
            if file.endswith(ending):
                path = Path(folder) / file
                name = path.relative_to(ROOT / "src/stochi").as_posix()
                yield name, ast.parse(path.read_text(encoding="utf-8"))


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level:
        return [node.module or ""]
    return []


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                yield path, node


def test_the_sources_are_found() -> None:
    paths = [path for path, _ in sources()]
    assert len(paths) == len(set(paths)) > 150
    assert {"train/networks.py", "sim/backends.py", "parity/check.py"} <= set(paths)


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
        front_door = name in FRONT_DOORS or path.startswith("commands/")
        allowed = count <= PARAMETERS or (front_door and len(positional) <= 4)
        if not allowed and not path.startswith(COMPILED):
            many[name] = count
    assert many == {}


def test_modules_do_not_have_the_names_of_their_packages_functions() -> None:
    modules: dict[str, set[str]] = {}
    named: dict[str, set[str]] = {}
    for path, tree in sources():
        folder, _, file = path.rpartition("/")
        above, _, package = folder.rpartition("/")
        modules.setdefault(folder, set()).add(file.removesuffix(".py"))
        modules.setdefault(above, set()).add(package)
        defined = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
        named.setdefault(folder, set()).update(defined)
    shared = {folder: modules[folder] & named.get(folder, set()) for folder in modules}
    assert {folder: names for folder, names in shared.items() if names} == {}


def test_no_module_imports_the_packages_that_it_lies_in() -> None:
    """Packages load their names on first use, so the import contracts cannot see such an import.

    Importing a module out of the package, as in ``from stochi.hardware import lfsr``, is fine.
    """
    modules = {f"stochi.{path.removesuffix('.py').replace('/', '.')}" for path, _ in sources()}
    modules |= {module.removesuffix(".__init__") for module in modules}
    upwards = {}
    for path, tree in sources():
        parts = ("stochi", *path.removesuffix(".py").split("/"))
        ancestors = {".".join(parts[:length]) for length in range(1, len(parts))}
        names = {
            f"{module}.{alias.name}"
            for node in ast.walk(tree)
            for module in set(imported(node)) & ancestors
            for alias in node.names
        }
        if names - modules and path != "__main__.py" and not path.startswith("commands/"):
            upwards[path] = names - modules
    assert upwards == {}


def test_a_package_shows_names_of_its_own_only() -> None:
    stubs = dict(sources(".pyi"))
    assert len(stubs) == len(PACKAGES) + 1
    for tree in stubs.values():
        assert all(not imported(node) for node in ast.walk(tree))


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


@pytest.mark.skipif(not (ROOT / "train").is_dir(), reason="a source distribution has no links")
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
