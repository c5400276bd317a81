"""A user's own network, graph and inputs, from the command line."""

import json
import shutil
import sys
from itertools import pairwise
from pathlib import Path

import nir
import numpy as np
import pytest
import torch

from benchmarks.support.networks import Tutorial5
from stochi.commands.app import main
from stochi.deploy import Program, lower, read_graph
from stochi.export import to_nir
from tests.commands.conftest import Run, check_refused
from tests.commands.own_files import write_own

QUICK = ("--no-lava", "--epsilon", "0", "--trials", "2", "--exact", "2")
EXPORTED = ("--weights", "w.pt", "--sample", "x.npy")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_own(folder)
        for words in (
            ("export", "own.py:make_net", *EXPORTED, "--out", "m.nir"),
            ("deploy", "m.nir", "--out", "m.program"),
        ):
            patch.setattr(sys, "argv", ["stochi", *words])
            with pytest.raises(SystemExit) as ended:
                main()
            assert not ended.value.code
    return folder


@pytest.fixture
def own(run: Run, written: Path, tmp_path: Path) -> Path:
    """The files, with a graph and a Program of the network."""
    shutil.copytree(written, tmp_path, dirs_exist_ok=True)
    return tmp_path


def own_net() -> Tutorial5:
    net = Tutorial5()
    net.load_state_dict(torch.load("w.pt"))
    return net.eval()


@pytest.mark.parametrize("name", ["make_net", "Tutorial5", "ready"])
@pytest.mark.parametrize("weights", ["w.pt", "trainer.pt"])
def test_export_writes_the_graph_of_a_named_network(
    run: Run, own: Path, name: str, weights: str
) -> None:
    words = ("export", f"own.py:{name}", "--weights", weights, "--sample", "x.pt", "--dt", "1e-4")
    status, out, err = run(*words, "--out", "n.nir", "--json")
    found = json.loads(out)
    assert status == 0 and "words of the network's file" in err
    assert found["metadata"] == {"dt": 1e-4, "steps": 10, "readout": "steps"}
    expected = to_nir(own_net(), torch.from_numpy(np.load("x.npy")), 1e-4)
    graph = read_graph("n.nir")
    for node, wanted in expected.nodes.items():
        if hasattr(wanted, "weight"):
            assert np.array_equal(graph.nodes[node].weight, wanted.weight)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ("nested.pt", "nested.pt: its 'net' is taken"),
        ("pair.pt", "pair.pt: its 'net' is taken"),
        ("wrapped.pt", "wrapped.pt: 'module._orig_mod.' in front of all names is left out"),
    ],
)
def test_weights_of_training_scripts_are_taken_and_told(
    run: Run, own: Path, weights: str, said: str
) -> None:
    words = ("export", "own.py:make_net", "--weights", weights, "--sample", "x.npy")
    status, out, err = run(*words, "--out", "n.nir")
    assert status == 0, err
    assert said in " ".join(out.split())
    expected = own_net().fc1.weight.detach().numpy()
    assert np.array_equal(read_graph("n.nir").nodes["fc1"].weight, expected)


def test_export_takes_modules_and_shapes(run: Run, own: Path) -> None:
    spec = "benchmarks.support.networks:Tutorial6"
    for seed in ("0", "1"):
        words = ("export", spec, "--shape", "1,8,8", "--seed", seed, "--out", f"{seed}.nir")
        status, out, err = run(*words)
        assert status == 0 and "computes; it draws nothing" in out, err
        assert f"Weights as {spec} makes them" in out
        assert "Input: 1×8×8; time step: 0.001 s; 10 time steps" in out
        assert "Output: spikes of net.8, at every time step" in out
    words = ("export", "own.py:RandomNet", "--shape", "1,8,8", "--out", "random.nir")
    assert "what the network computes with mean τ" in run(*words)[1]
    shutil.copy("own.py", "beside.py")
    assert run("export", "beside:make_net", "--shape", "1,8,8", "--out", "b.nir")[0] == 0
    assert run("export", "own.py:RLeakyNet", "--shape", "1,8,8", "--out", "r.nir")[0] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("own.py",), "add the name of what makes the network, like own.py:Net"),
        (("own.py:",), "is not a name of Python"),
        (("own.py:nowhere",), "own.py has no 'nowhere'; it has make_net, unlucky"),
        (("gone.py:net",), "gone.py: no such file"),
        (("folder.py:net",), "folder.py: a folder, not a file"),
        (("broken.py:make_net",), "raises SyntaxError"),
        (("no_such.module:net",), "no_such.module: no such module"),
        (("own.py:unlucky",), "raises ValueError: no data here (own.py, line 18)"),
        (("own.py:leaves",), "raises SystemExit"),
        (("own.py:nothing",), "returns a NoneType, not a torch.nn.Module"),
        (("own.py:needs",), "it needs width; write a function without arguments"),
        (("own.py:number",), "has the type int"),
        (("own.py:not_finite",), "layer 'fc1': its weight holds NaN"),
        (("own.py:Fails",), "not written yet (RuntimeError in own.py, line 48)"),
        (("m.nir",), "is a NIR graph already"),
        (("own.py:EventsNet",), "give --sample, (time steps, batch, *shape)"),
    ],
)
def test_export_names_what_is_wrong_with_a_network(
    run: Run, own: Path, words: tuple[str, ...], message: str
) -> None:
    Path("folder.py").mkdir()
    more = () if words == ("m.nir",) else ("--shape", "1,8,8")
    check_refused(run, ("export", *words, *more, "--out", "n.nir"), message)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("gone.pt", "gone.pt: no such file"),
        (".", ".: a folder, not a file"),
        ("pickled.pt", "would run code (torch.nn.modules.container.Sequential"),
        ("cut.pt", "not a file of torch.save, or a damaged one"),
        ("empty.pt", "not a file of torch.save, or a damaged one"),
        ("x.pt", "holds a value of type Tensor, not a state_dict"),
        ("listed.pt", "these are not tensors: epoch, net"),
        ("twice.pt", "twice.pt: holds several state_dicts, net, ema; save the one that counts"),
        ("gone.safetensors", "no such file"),
        ("empty.safetensors", " safetensors"),
        ("other.pt", "it lacks fc2.bias; the network has no fc3.weight; fc1.weight has shape (3,"),
    ],
)
def test_export_names_what_is_wrong_with_weights(
    run: Run, own: Path, weights: str, message: str
) -> None:
    words = ("export", "own.py:make_net", "--weights", weights, "--shape", "1,8,8")
    check_refused(run, (*words, "--out", "n.nir"), message)


def test_a_warning_is_printed_once(run: Run, own: Path) -> None:
    Path("clamped.py").write_text(
        "import torch\nfrom own import Tutorial5\n\n\ndef make_net():\n    made = Tutorial5()\n"
        "    made.lif1.beta = torch.tensor(1.2)\n    return made\n"
    )
    words = ("parity", "clamped.py:make_net", "--weights", "clamped.pt", "--inputs", "test.npz")
    state = own_net().state_dict() | {"lif1.beta": torch.tensor(1.2)}
    torch.save(state, "clamped.pt")
    status, _, err = run(*words, *QUICK)
    assert status == 0, err
    assert err.count("its beta is 1.2, and snnTorch computes with") == 1


def test_missing_files_are_told_before_code_runs(run: Run, own: Path) -> None:
    for command, option in (("export", "--sample"), ("parity", "--inputs"), ("attack", "--inputs")):
        status, _, err = run(command, "own.py:make_net", "--weights", "gone.pt", option, "x.npy")
        assert status == 2 and "gone.pt: no such file" in err
        assert "words of the network's file" not in err


INPUT_PROBLEMS = [
    ("gone.npy", "gone.npy: no such file"),
    (".", ".: give a file of numpy"),
    ("own.py", "own.py: give a file of numpy"),
    ("nan.npy", "of its values are NaN or infinite"),
    ("flat.npy", "its shape is (8,); inputs have a batch in front"),
    ("words.npy", "holds <U1; give an array of numbers"),
    ("objects.npy", "could run code"),
    ("two.npz", "holds a (8, 1, 8, 8), b (8, 1, 8, 8); name the array 'inputs'"),
    ("none.npz", "holds no array"),
    ("cut.npy", "or a damaged one"),
    ("cut.npz", "or a damaged one"),
    ("pickled.pt", "would run code"),
]


@pytest.mark.parametrize(("inputs", "message"), INPUT_PROBLEMS)
def test_files_of_inputs_that_cannot_be_read(
    run: Run, own: Path, inputs: str, message: str
) -> None:
    for words in (
        ("export", "own.py:make_net", "--out", "n.nir", "--sample", inputs),
        ("simulate", "m.program", "--inputs", inputs),
        ("parity", "m.nir", "m.program", "--inputs", inputs, "--labels", "y.npy", *QUICK),
    ):
        check_refused(run, words, message)


@pytest.mark.parametrize(
    ("inputs", "labels", "message"),
    [
        ("x.npy", "few.npy", "few.npy: 3 labels for 8 inputs of x.npy"),
        ("x.npy", "floats.npy", "classes are whole numbers"),
        ("x.npy", "one_hot.npy", "take the argmax"),
        ("x.npy", "large.npy", "0 "),
        ("x.npy", "negative.npy", "0 "),
        ("x.npy", "gone.npy", "gone.npy: no such file"),
        ("rgb.npy", "y.npy", "inputs have shape (8, 3, 8, 8)"),
        ("pixels.npy", "y.npy", "inputs range from 0 to 25"),
    ],
)
def test_inputs_and_labels_that_do_not_fit(
    run: Run, own: Path, inputs: str, labels: str, message: str
) -> None:
    files = ("--inputs", inputs, "--labels", labels)
    check_refused(run, ("simulate", "m.program", *files), message)
    for model in ("m.nir", "own.py:make_net"):
        check_refused(run, ("parity", model, "m.program", *files, *QUICK), message)


def test_simulate_shows_own_inputs(run: Run, own: Path) -> None:
    words = ("simulate", "m.program", "--inputs", "x.npy")
    status, out, err = run(*words, "--json", "--out", "r.npz")
    found = json.loads(out)
    assert status == 0 and "accuracy" not in found and len(found["predictions"]) == 8, err
    with np.load("r.npz") as record:
        assert record["logits"].argmax(1).tolist() == found["predictions"]
        assert record["spikes.lif1"].shape == (10, 8, 40)
    right = np.mean(found["predictions"] == np.load("y.npy"))
    for labelled in (("--inputs", "x.npy", "--labels", "y.npy"), ("--inputs", "test.npz")):
        status, out, _ = run("simulate", "m.program", *labelled, "--json")
        accuracy = json.loads(out)["accuracy"]
        assert status == 0 and accuracy["value"] == pytest.approx(right)
        assert accuracy["low"] < accuracy["value"] <= accuracy["high"]
    status, out, _ = run("simulate", "m.program", "--inputs", "test.npz", "--images", "3")
    assert status == 0 and "on 3 inputs of test.npz" in out
    assert "Predicted class" in run(*words)[1]


def test_events_have_time_steps_in_front(run: Run, own: Path) -> None:
    words = ("export", "own.py:EventsNet", "--weights", "events.pt", "--sample", "events.npy")
    assert run(*words, "--out", "e.nir")[0] == 0
    assert run("deploy", "e.nir", "--events", "--out", "e.program")[0] == 0
    shown = ("--inputs", "events.npy", "--labels", "events_y.npy")
    status, out, err = run("simulate", "e.program", *shown, "--json")
    assert status == 0 and len(json.loads(out)["predictions"]) == 6, err
    status, out, _ = run("simulate", "e.program", *shown, "--images", "2", "--json")
    assert status == 0 and len(json.loads(out)["predictions"]) == 2
    check_refused(run, ("simulate", "e.program"), "give --inputs with your own events")
    status, out, err = run("parity", "e.nir", "e.program", *shown, *QUICK, "--json")
    assert status == 0 and json.loads(out)["mismatches"] == 0, err


@pytest.mark.parametrize("model", [("own.py:make_net", "--weights", "w.pt"), ("m.nir",)])
def test_parity_and_attack_take_own_models(run: Run, own: Path, model: tuple[str, ...]) -> None:
    data = ("--inputs", "test.npz")
    status, out, err = run("parity", *model, *data, *QUICK, "--json", "--out", "here.json")
    lowered_here = json.loads(out)
    assert status == 0 and lowered_here["mismatches"] == 0, err
    assert lowered_here["accuracy"][0]["sides"]["float"]["value"] == 1
    name, *rest = model
    status, out, err = run("parity", name, "m.program", *rest, *data, *QUICK, "--json")
    same = json.loads(out) | {"run": lowered_here["run"]}  # another command, a little later
    assert status == 0 and same == lowered_here, err
    words = ("--attack", "fgsm", "--draws", "1", "--trials", "1", "--json")
    status, out, err = run("attack", name, "m.program", *rest, *data, *words)
    report = json.loads(out)
    assert status == 0 and report["accuracy"][0]["sides"]["chip"]["images"] == 8, err


def test_a_network_that_raises_later_is_named(run: Run, own: Path) -> None:
    words = ("parity", "own.py:OneImage", "--weights", "w.pt", "--inputs", "test.npz", *QUICK)
    check_refused(run, words, "one image at a time")


def test_errors_of_stochi_itself_stay_errors(
    run: Run, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Program, "load", None)
    with pytest.raises(TypeError):
        run("show", "m.program")


def test_the_ablation_attacks_a_network_that_answers_at_every_step(run: Run, own: Path) -> None:
    words = ("own.py:make_net", "m.program", "--weights", "w.pt", "--inputs", "test.npz", *QUICK)
    attacked = ("--epsilon", "0.1", "--attack", "fgsm", "--attack-images", "2", "--ablation")
    status, out, err = run("parity", *words, *attacked, "--json")
    assert status == 0 and json.loads(out)["ablation"] is not None, err


def test_parity_lowers_as_deploy_does(run: Run, own: Path) -> None:
    words = ("parity", "m.nir", "--inputs", "test.npz", *QUICK, "--json")
    status, out, err = run(*words, "--noise", "none")
    assert status == 0 and json.loads(out)["configuration"]["noise"] == "none", err
    check_refused(run, (*words[:-1], "--noise", "membrane"), "fitted to training inputs")
    check_refused(run, (*words[:-1], "--noise", "pink"), "noise is 'pink'")


def test_options_without_an_effect_are_refused(run: Run, own: Path) -> None:
    for words, message in (
        (("parity", "m.nir", "--weights", "w.pt"), "--weights: it is for the network of"),
        (("parity", "own.py:make_net", "--reset", "zero"), "--reset: it is for a NIR graph"),
        (("parity", "own.py:ready", "m.program", "--dt", "1"), "--dt: the Program has its"),
        (("parity", "m.nir", "m.program", "--chip", "loihi1"), "--chip: it is for a model that"),
        (("parity", "m.nir", "--labels", "y.npy"), "--labels: it belongs to --inputs"),
        (("attack", "m.nir", "m.program", "--inputs", "x.npy", "--data", "mnist"), "--data: "),
        (("simulate", "m.program", "--labels", "y.npy"), "--labels: it belongs to --inputs"),
        (("simulate", "m.program", "--inputs", "x.npy", "--data", "mnist"), "--data: "),
        (("simulate", "m.program", "--inputs", "x.npy", "--out", "x.npy"), "another file of this"),
        (("export", "own.py:ready"), "give --sample FILE or --shape"),
        (("export", "own.py:ready", "--shape", "8", "--sample", "x.npy"), "not both"),
        (("export", "own.py:ready", "--shape", "8,x"), "--shape is '8,x'"),
        (("export", "own.py:ready", "--shape", "0"), "--shape is '0'"),
        (("export", "own.py:ready", "--shape", "8", "--data", "mnist"), "--data: "),
        (("export", "own.py:ready", "--shape", "8", "--out", "own.py"), "another file of this"),
        (("show", "m.program", "--dt", "1"), "--dt: it is for a NIR graph"),
        (("parity", "m.nir", "m.program", "--inputs", "x.npy"), "needs the labels of x.npy"),
    ):
        check_refused(run, words, message)


def test_show_describes_a_graph(run: Run, own: Path) -> None:
    status, out, err = run("show", "m.nir", "--json")
    found = json.loads(out)
    assert status == 0 and not err
    assert (found["convention"], found["dt"], found["time_steps"]) == ("stochi", 1e-3, 10)
    assert (found["input_shape"], found["output"]) == ([1, 8, 8], "lif2")
    assert (found["readout"], found["reads"]) == ("steps", "spikes")
    assert found["weights"] == 64 * 40 + 40 + 40 * 10 + 10 and found["warnings"] == []
    assert found["layers"][0] == {
        **{"layer": "lif1", "neurons": "40", "kind": "LIF", "decay": "0.95", "threshold": "1"},
        **{"reset": "subtract, a step later", "from": "input", "weights": "2,600"},
    }
    text = run("show", "m.nir")[1]
    assert "3,010 weights" in text and "spikes of lif2, at every time step" in text


@pytest.fixture
def foreign(own: Path) -> Path:
    """A graph of another framework: a single time constant, no time step, no resets."""
    nodes = {
        "input": nir.Input(np.array([1, 8, 8])),
        "flat": nir.Flatten({"input": np.array([1, 8, 8])}, 0, -1),
        "w": nir.Linear(np.random.default_rng(0).normal(size=(10, 64))),
        "n": nir.LIF(np.full(10, 5e-3), np.ones(10), np.zeros(10), np.full(10, 0.1)),
        "output": nir.Output(np.array([10])),
    }
    nir.write("f.nir", nir.NIRGraph(nodes, list(pairwise(nodes))))
    return own


def test_what_a_graph_does_not_say_is_said_by_options(run: Run, foreign: Path) -> None:
    status, out, _ = run("show", "f.nir", "--json")
    found = json.loads(out)
    assert status == 0 and found["layers"] == [] and found["nodes"]["n"] == "LIF"
    assert "dt" in found["warnings"][-1] and "--reset subtract" in found["warnings"][0]
    said = ("--dt", "1e-3", "--reset", "subtract", "--convention", "nir")
    status, out, _ = run("show", "f.nir", *said, "--json")
    shown = json.loads(out)
    assert status == 0 and shown["warnings"] == [] and shown["convention"] == "nir"
    assert shown["layers"][0]["reset"] == "subtract" and shown["layers"][0]["decay"] == "0.8"
    assert run("deploy", "f.nir", *said, "--out", "f.program")[0] == 0
    data = ("--inputs", "test.npz", *QUICK, "--json")
    for program in ((), ("f.program",)):
        status, out, err = run("parity", "f.nir", *program, *data, *said)
        assert status == 0 and json.loads(out)["mismatches"] == 0, err
        assert "Warning" not in err
    status, out, err = run("parity", "f.nir", *data, "--dt", "1e-3")
    assert status == 0 and "--reset subtract" in err and json.loads(out)["mismatches"] == 0
    check_refused(run, ("parity", "f.nir", "--inputs", "test.npz", *QUICK), "dt")
    check_refused(run, ("show", "f.nir", "--reset", "never"), "choose from")


def test_show_reports_files_that_are_neither(run: Run, own: Path) -> None:
    Path("cut.nir").write_bytes(Path("m.nir").read_bytes()[:500])
    Path("renamed").write_bytes(Path("m.nir").read_bytes())
    assert run("show", "renamed")[0] == 0
    for name, message in (
        ("cut.nir", "not a NIR graph file, or damaged"),
        ("gone.nir", "no such file"),
        ("own.py", "not a Stochi Program"),
        (".", "a folder"),
    ):
        check_refused(run, ("show", name), message)


def test_a_named_network_gives_the_program_that_python_gives(run: Run, own: Path) -> None:
    expected = lower(to_nir(own_net(), torch.from_numpy(np.load("x.npy"))))
    program = Program.load("m.program")
    assert expected.target == program.target
    for layer, other in zip(program.layers, expected.layers, strict=True):
        for one, two in zip(layer.projections, other.projections, strict=True):
            assert np.array_equal(one.weight, two.weight)
