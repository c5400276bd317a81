"""Folders that run where neither torch nor Stochi is installed."""

import ast
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nir
import numpy as np
import pytest
import torch

from benchmarks.support.cases import all_cases
from stochi.deploy import Program, lower, write_lava
from stochi.deploy.portable.readme import write_readme
from stochi.deploy.portable.sources import MODULES, PACKAGE, read_sources
from stochi.errors import InputError, StochiError
from stochi.export import to_nir
from stochi.hardware.draws import Draws
from stochi.program.layers import Generator
from stochi.sim import run
from stochi.sim.inputs import InOrder, lava_frames
from stochi.sim.lava.folder_run import choose_form, run_on_lava
from stochi.sim.recording import PROBES
from tests.conftest import conv_net, dense_net, needs_lava

FORBIDDEN = ("torch", "stochi", "numba", "snntorch", "nir", "h5py", "sklearn", "typer", "rich")
GUARD = f"""
import runpy, sys
from importlib.abc import MetaPathFinder

class Forbid(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition('.')[0] in {FORBIDDEN!r}:
            raise ModuleNotFoundError('No module named ' + repr(name), name=name)

sys.meta_path.insert(0, Forbid())
sys.argv = ['run.py']
sys.path.insert(0, '.')
runpy.run_path('run.py', run_name='__main__')
"""


@pytest.fixture
def plain() -> Program:
    return lower(to_nir(dense_net(), torch.rand(1, 1, 4, 4)), noise="none")


def run_folder(folder: Path) -> tuple[int, str, str]:
    """Run a folder as on a machine that has none of the forbidden packages."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", GUARD],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.returncode, done.stdout, done.stderr


def recurrent() -> Program:
    rng = np.random.default_rng(0)
    n = np.ones(8)
    nodes: dict[str, nir.NIRNode] = {
        "input": nir.Input(np.array([6])),
        "a": nir.Affine(rng.standard_normal((8, 6)), 0.1 * rng.standard_normal(8)),
        "n": nir.CubaLIF(2e-3 * n, 5e-3 * n, 3 * n, 0 * n, 0.1 * n),
        "w": nir.Linear(rng.standard_normal((8, 8))),
        "output": nir.Output(np.array([8])),
    }
    edges = [("input", "a"), ("a", "n"), ("n", "w"), ("w", "n"), ("n", "output")]
    graph = nir.NIRGraph(nodes, edges)
    return lower(graph, dt=1e-3, time_steps=8, events=True, reset="subtract")


def noisy() -> Program:
    program = lower(to_nir(dense_net(), torch.rand(1, 1, 4, 4)), noise="none")
    layer = replace(program.layers[0], generator=Generator("membrane", 1, 10))
    return replace(program, layers=(layer, *program.layers[1:]))


@needs_lava
@pytest.mark.parametrize(
    ("make", "shape", "says"),
    [
        (
            lambda: lower(to_nir(conv_net(), torch.rand(1, 2, 8, 8))),
            (3, 2, 8, 8),
            "'network.lif1' are a process of Stochi, since Lava's LIF has no drawn decays",
        ),
        (noisy, (3, 1, 4, 4), "Lava's LIF has no noise"),
        (recurrent, (8, 3, 6), "Each layer is one process of Stochi, since layer 'n'"),
    ],
    ids=["drawn decays", "noise", "recurrent"],
)
def test_a_folder_finds_the_expected_spikes_without_torch(
    tmp_path: Path, make: Callable[[], Program], shape: tuple[int, ...], says: str
) -> None:
    program = make()
    inputs = torch.rand(*shape)
    folder = tmp_path / "folder"
    write_lava(program, folder, (inputs > 0.5).float(), seed=3, trial=1)
    status, out, err = run_folder(folder)
    total = sum(s.size for n, s in np.load(folder / "expected.npz").items() if "spikes" in n)
    assert status == 0, err
    assert says in out
    assert out.splitlines()[-1] == f"0 of {total} spikes differ"
    assert all(int(n) > 0 for n in re.findall(r"(\d+) neurons fired", out))


@needs_lava
def test_a_folder_reports_a_spike_that_differs(tmp_path: Path, plain: Program) -> None:
    folder = tmp_path / "folder"
    write_lava(plain, folder, torch.rand(2, 1, 4, 4))
    with np.load(folder / "expected.npz") as archive:
        expected = dict(archive)
    expected["spikes.network.lif1"][1, 1, 5] ^= True
    np.savez(folder / "expected.npz", **expected)
    status, out, _ = run_folder(folder)
    assert status == 1
    assert f"network.lif1: 1 of {expected['spikes.network.lif1'].size} spikes differ" in out
    (folder / "model.program").write_bytes(b"PK")
    status, out, err = run_folder(folder)
    assert (status, out) == (2, "") and "model.program" in err and "Traceback" not in err


def test_the_copies_import_numpy_lava_and_the_standard_library_only() -> None:
    known = {"numpy", "lava", PACKAGE, *sys.stdlib_module_names}
    for path, text in read_sources().items():
        tree = ast.parse(text)
        lazy = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.If | ast.Try)
            for inner in ast.walk(node)
        }
        for node in ast.walk(tree):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
                if node.module == f"{PACKAGE}.hardware":
                    names = [f"{node.module}.{alias.name}" for alias in node.names]
            if id(node) not in lazy:
                assert {name.partition(".")[0] for name in names} <= known, path
            for name in names:
                assert not name.startswith("stochi."), path
                if name.startswith(f"{PACKAGE}.") and not _for_types(tree, node):
                    inside = name.removeprefix(f"{PACKAGE}.").replace(".", "/")
                    assert inside in MODULES, f"{path} imports {name}"


def _for_types(tree: ast.Module, node: ast.AST) -> bool:
    blocks = (n for n in ast.walk(tree) if isinstance(n, ast.If))
    return any(node in block.body for block in blocks if ast.unparse(block.test) == "TYPE_CHECKING")


def test_the_copies_are_the_source_files() -> None:
    import stochi

    assert stochi.__file__ is not None
    root = Path(stochi.__file__).parent
    for module in MODULES:
        ours = (root / f"{module}.py").read_text("utf-8")
        copied = read_sources()[f"{PACKAGE}/{module}.py"]
        assert copied.replace(f"from {PACKAGE}", "from stochi") == ours


def test_a_folder_lists_its_files_and_its_bytes_are_the_same_each_time(
    tmp_path: Path, plain: Program
) -> None:
    inputs = torch.rand(2, 1, 4, 4)
    for name in ("a", "b"):
        write_lava(plain, tmp_path / name, inputs)
    lines = (tmp_path / "a/SHA256SUMS").read_text().splitlines()
    listed = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    files = {p.relative_to(tmp_path / "a").as_posix() for p in (tmp_path / "a").rglob("*.*")}
    assert {"run.py", "README.md", "model.program", "inputs.npz", "expected.npz"} <= files
    assert listed.keys() == {f for f in files if (tmp_path / "a" / f).is_file()} | (
        {"LICENSE"} & listed.keys()
    )
    for name, digest in listed.items():
        data = (tmp_path / "a" / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == digest
        assert (tmp_path / "b" / name).read_bytes() == data
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


def test_only_an_unchanged_folder_is_written_again(tmp_path: Path, plain: Program) -> None:
    folder, inputs = tmp_path / "folder", torch.rand(2, 1, 4, 4)
    folder.mkdir()
    write_lava(plain, folder, inputs)
    write_lava(plain, folder, inputs[:1])
    assert np.load(folder / "inputs.npz")["frames"].shape[1] == 1
    script = folder / "run.py"
    script.write_text(script.read_text() + "# mine\n")
    with pytest.raises(InputError, match=r"holds run\.py, which was added or changed"):
        write_lava(plain, folder, inputs)
    other = tmp_path / "other"
    other.mkdir()
    (other / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds notes\.txt"):
        write_lava(plain, other, inputs)
    assert (other / "notes.txt").read_text() == "mine"
    with pytest.raises(InputError, match="a file, not a folder"):
        write_lava(plain, other / "notes.txt", inputs)


def test_a_folder_that_cannot_be_moved_into_place_leaves_the_old_one(
    tmp_path: Path, plain: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "folder"
    write_lava(plain, folder, torch.rand(2, 1, 4, 4))
    before = (folder / "SHA256SUMS").read_bytes()
    move = os.replace

    def interrupted(source: Path, target: Path) -> None:
        if Path(source).suffix == ".folder" and Path(target) == folder:
            raise KeyboardInterrupt
        move(source, target)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_lava(plain, folder, torch.rand(1, 1, 4, 4))
    assert list(tmp_path.iterdir()) == [folder]
    assert (folder / "SHA256SUMS").read_bytes() == before
    monkeypatch.undo()
    link = tmp_path / "link"
    link.symlink_to(folder)
    write_lava(plain, link, torch.rand(1, 1, 4, 4))
    assert link.is_symlink() and sorted(tmp_path.iterdir()) == [folder, link]
    assert (folder / "SHA256SUMS").read_bytes() != before


@pytest.mark.parametrize("inputs", [torch.rand(2, 1, 4, 5), torch.full((1, 1, 4, 4), torch.nan)])
def test_wrong_inputs_leave_no_folder(tmp_path: Path, plain: Program, inputs: torch.Tensor) -> None:
    with pytest.raises(InputError, match="inputs"):
        write_lava(plain, tmp_path / "folder", inputs)
    with pytest.raises(InputError, match="seed"):
        write_lava(plain, tmp_path / "folder", torch.rand(1, 1, 4, 4), seed=-1)
    assert list(tmp_path.iterdir()) == []


def test_the_readme_says_what_runs_on_what(plain: Program) -> None:
    text = write_readme(plain, choose_form(plain, 2), 2)
    assert "| network.lif1 | 12 | input | `LIFReset` |" in text
    assert "verified only in simulation" in text and "microcode" not in text
    drawn = lower(to_nir(dense_net(), torch.rand(1, 1, 4, 4)))
    text = " ".join(write_readme(drawn, choose_form(drawn, 2), 2).split())
    assert "network.lif1 draw their decay at run time and have only a Python model" in text


@pytest.mark.slow
@needs_lava
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_structure_that_is_lowered_has_the_engine_s_spikes() -> None:
    forms = {True: 0, False: 0}
    for case in all_cases():
        try:
            program = lower(case.build(), events=case.events)
        except StochiError:
            continue
        inputs = torch.rand(2, *case.shape)
        if case.events:
            inputs = (torch.rand(program.target.time_steps, 2, *case.shape) > 0.5).float()
        draws = Draws(3, source=program.target.random_source)
        found = run_on_lava(program, lava_frames(program, inputs), draws)
        expected = run(program, InOrder(inputs), seed=3, probes=PROBES)
        for name, spikes in expected.spikes.items():
            assert np.array_equal(spikes.numpy(), found.spikes[name]), (case.what, name)
        output = expected.membrane[program.output].numpy()
        assert np.array_equal(output, found.membrane), case.what
        forms[choose_form(program, 2).whole_layers is None] += 1
    assert forms[True] > 30 and forms[False] > 10


@pytest.mark.slow
def test_a_folder_runs_where_only_its_requirements_are_installed(tmp_path: Path) -> None:
    program = lower(to_nir(conv_net(), torch.rand(1, 2, 8, 8)))
    folder = tmp_path / "folder"
    write_lava(program, folder, torch.rand(2, 2, 8, 8))
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = str(tmp_path / "venv/bin/python")
    lava = ("--no-deps", "--ignore-requires-python", "lava-nc==0.10.0")
    for packages in (("-r", str(folder / "requirements.txt")), lava):
        installed = subprocess.run(
            [python, "-m", "pip", "install", "-q", *packages], capture_output=True, text=True
        )
        if installed.returncode:
            pytest.skip(f"pip cannot install here: {installed.stderr.splitlines()[-1:]}")
    listed = subprocess.run([python, "-m", "pip", "list", "--format=json"], capture_output=True)
    names = {package["name"] for package in json.loads(listed.stdout)}
    assert not names & {*FORBIDDEN} and "lava-nc" in names
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [python, "run.py"], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"0 of \d+ spikes differ", done.stdout.splitlines()[-1])
