"""``stochi export --format onnx``, from a checkpoint, a graph, a Program and one's own network."""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from stochi.deploy import Program
from stochi.sim import run as run_program
from tests.commands.conftest import Run, check_refused
from tests.commands.own_files import write_own

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests.export.onnx.sessions import run_onnx  # noqa: E402

ONNX = ("--format", "onnx")


def test_a_program_becomes_a_model_of_its_integers(run: Run, trained: Path) -> None:
    program = trained / "m.program"
    status, out, _ = run("export", str(program), *ONNX, "--out", "m.onnx", "--json")
    told = json.loads(out)
    assert status == 0 and told["metadata"]["form"] == "integers"
    assert told["inputs"] == ["inputs", "seed", "trial", "first_sample"]
    assert told["metadata"]["source"] == "m.program"
    digest = hashlib.sha256(program.read_bytes()).hexdigest()
    noted = {entry.key: entry.value for entry in onnx.load("m.onnx").metadata_props}
    assert noted == told["metadata"] and noted["source_sha256"] == digest
    images = torch.rand(6, 1, 8, 8)
    found = run_onnx(onnx.load("m.onnx"), images, seed=5, trial=1, first_sample=0)
    expected = run_program(Program.load(program), images, seed=5, trial=1).logits.numpy()
    assert np.array_equal(found["logits"], expected)


@pytest.mark.parametrize("source", ["m.pt", "m.nir"])
def test_a_network_or_its_graph_becomes_a_model_in_floats(
    run: Run, trained: Path, source: str
) -> None:
    words = ("export", str(trained / source), *ONNX, "--draws", "input", "--unrolled")
    status, out, _ = run(*words)
    assert status == 0 and "Wrote runs/m.onnx, in floats" in out
    written = onnx.load("runs/m.onnx")
    names = [value.name for value in written.graph.input]
    assert names == ["inputs", "draws.network.lif1.decay", "draws.network.lif2.decay"]
    assert "Loop" not in [node.op_type for node in written.graph.node]


def test_a_program_on_events_takes_streams(run: Run, trained: Path) -> None:
    assert run("export", str(trained / "events.program"), *ONNX, "--out", "e.onnx")[0] == 0
    sizes = onnx.load("e.onnx").graph.input[0].type.tensor_type.shape.dim
    assert [size.dim_value or size.dim_param for size in sizes] == [4, "batch", 1, 8, 8]


def test_an_own_network_is_exported_at_once(run: Run) -> None:
    write_own(Path())
    words = ("export", "own.py:RandomNet", "--shape", "1,8,8", *ONNX, "--out", "own.onnx")
    assert run(*words)[0] == 0
    found = run_onnx(onnx.load("own.onnx"), torch.rand(3, 1, 8, 8), seed=0, trial=0, first_sample=0)
    assert found["logits"].shape == (4, 3, 10)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("m.program", "--format", "tflite"), "--format is 'tflite'; choose from nir, onnx"),
        (("m.pt", "--unrolled"), "--unrolled: it is for --format onnx; leave it out"),
        (
            ("m.program", *ONNX, "--dt", "0.1"),
            "--dt: it is for a network, and the Program is given",
        ),
        (("m.nir", *ONNX, "--shape", "3"), "--shape: it is for a network, and the graph is given"),
        (("m.nir", *ONNX, "--draws", "torch"), "draws is 'torch'; choose from input, inside"),
        (("m.program", *ONNX, "--out", "m.program"), "m.program is another file"),
        (("cut.program", *ONNX, "--out", "x.onnx"), "cut.program: "),
        (("m.program", "--out", "x.nir"), "--format onnx writes a Program"),
        (("cut.nir", *ONNX, "--out", "x.onnx"), "cut.nir: not a NIR graph file, or damaged"),
        (("m.program",), "m.program: "),
    ],
)
def test_mistakes_are_one_line(
    run: Run, trained: Path, words: tuple[str, ...], message: str
) -> None:
    for name in ("m.pt", "m.nir", "m.program"):
        content = (trained / name).read_bytes()
        Path(name).write_bytes(content)
        Path(name.replace("m.", "cut.")).write_bytes(content[: len(content) // 2])
    check_refused(run, ("export", *words), message)


def test_without_onnx_one_line_says_what_to_install(
    run: Run, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    words = ("export", str(trained / "m.program"), *ONNX, "--out", "x.onnx")
    check_refused(run, words, "pip install 'stochi[onnx]'")
