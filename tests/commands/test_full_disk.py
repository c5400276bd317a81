"""Every kind of file on a full disk: one line, a status, the old file intact, nothing left."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.commands.conftest import Run
from tests.kills.scene import ROOT

WRITES = {
    "m.pt": "train --epochs 1 --time-steps 2 --out {}",
    "tuned.pt": "tune {trained}/m.pt {trained}/m.program --epochs 1 --out {}",
    "m.nir": "export {trained}/m.pt --out {}",
    "m.program": "deploy {trained}/m.nir --out {}",
    "r.npz": "simulate {trained}/m.program --images 4 --out {}",
    "r.nir": "simulate {trained}/m.program --images 4 --format nir --out {}",
    "p.json": "parity {trained}/m.pt {trained}/m.program --images 2 --trials 2 --exact 2"
    " --attack noise --no-lava --out {}",
    "map.png": "map {trained}/m.program --figure {}",
}
"""Files, and the commands that write them."""
SMALL = 2048


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize(
    "old", [pytest.param(False, marks=pytest.mark.slow), True], ids=["new", "old"]
)
def test_a_file_that_does_not_fit_is_one_line(
    run: Run, trained: Path, name: str, old: bool
) -> None:
    folder = Path("there")
    folder.mkdir()
    if old:
        (folder / name).write_text("old")
    words = WRITES[name].format(folder / name, trained=trained).split()
    with files_of_at_most(SMALL):
        status, _, err = run(*words)
    lines = [line for line in err.splitlines() if line.startswith("stochi: ")]
    assert status == 2 and "Traceback" not in err and err.count("not written") == 1, err
    assert lines == [
        f"stochi: there/{name}: not written: File too large; raise the limit of a file's size"
        " (ulimit -f), or write to another place"
    ]
    assert os.listdir(folder) == ([name] if old else [])
    assert not old or (folder / name).read_text() == "old"


@pytest.mark.parametrize("form", ["lava", "onnx"])
def test_folders_and_onnx_models_do_not_stay_half_written(
    run: Run, trained: Path, form: str
) -> None:
    if form == "onnx":
        pytest.importorskip("onnx")
    words = {
        "lava": f"deploy {trained}/m.program --format lava --out there/x",
        "onnx": f"export {trained}/m.program --format onnx --out there/x",
    }[form]
    Path("there").mkdir()
    with files_of_at_most(SMALL):
        status, _, err = run(*words.split())
    assert status == 2 and "stochi: there/x: not written: File too large; raise" in err
    assert os.listdir("there") == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "backend", ["engine", pytest.param("lava", marks=[pytest.mark.lava, pytest.mark.slow])]
)
def test_mapped_probes_on_a_full_disk_are_one_line(tmp_path: Path, backend: str) -> None:
    """A process that writes into a mapped file on a full disk is killed by SIGBUS."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=64k none "$0" && exec "$@"']
    if subprocess.run([*mounted, str(disk), "true"], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    code = (
        "import os, sys, torch, stochi; from tests.conftest import dense_net\n"
        "program = stochi.deploy.lower(stochi.export.to_nir(dense_net(), torch.rand(1, 1, 4, 4)))\n"
        "try:\n"
        f"    stochi.sim.run(program, torch.rand(5000, 1, 4, 4), backend={backend!r},\n"
        "        probes=('spikes', 'membrane'), probe_folder=sys.argv[1])\n"
        "except OSError as error:\n"
        "    print(type(error).__name__, error.errno, os.listdir(sys.argv[1]))"
    )
    ended = subprocess.run(
        [*mounted, str(disk), sys.executable, "-c", code, str(disk)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert ended.stdout == "WriteError 28 []\n", ended.stderr
