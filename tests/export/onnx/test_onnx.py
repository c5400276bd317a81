"""ONNX models: what they take and note, their random numbers, and what is refused."""

import re
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import nir
import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.support.graphs import PRIMITIVES, conv, lif, pool, random
from benchmarks.support.graphs import chain as bare_chain
from stochi.deploy import lower
from stochi.errors import ExportError, InputError
from stochi.export import GraphModel, draws_for_onnx, from_nir, to_nir, to_onnx
from stochi.program import Program
from stochi.sim import run
from stochi.sim.inputs import lava_frames
from stochi.train import RandomTauLeaky, RepeatSteps

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from stochi.export.onnx import model_file, stepped  # noqa: E402
from stochi.export.onnx.integer_sums import as_bytes  # noqa: E402
from tests.export.onnx.sessions import run_onnx  # noqa: E402

NUMBERS = {"seed": 2**32 - 1, "trial": 1, "first_sample": 9}


def chain(*nodes: nir.NIRNode, shape: tuple[int, ...], out: tuple[int, ...]) -> nir.NIRGraph:
    graph = bare_chain(*nodes, shape=shape, out=out)
    graph.metadata = {"dt": 1e-3, "steps": 6, "readout": "mean"}
    return graph


def random_graph(**options: object) -> nir.NIRGraph:
    torch.manual_seed(0)
    neuron = RandomTauLeaky(threshold=0.3, init_hidden=True, **options)  # type: ignore[arg-type]
    net = nn.Sequential(nn.Linear(6, 50), neuron, nn.Linear(50, 3))
    return to_nir(RepeatSteps(net, 5).eval(), torch.rand(2, 6))


@pytest.fixture(scope="module")
def graph() -> nir.NIRGraph:
    return random_graph()


@pytest.fixture(scope="module")
def program(graph: nir.NIRGraph) -> Program:
    return lower(graph)


def test_a_file_holds_the_model_with_its_step_as_a_function(
    program: Program, tmp_path: Path
) -> None:
    written = to_onnx(program, tmp_path / "new" / "m.onnx")
    read = onnx.load(tmp_path / "new" / "m.onnx")
    assert read == written and list((tmp_path / "new").iterdir()) == [tmp_path / "new" / "m.onnx"]
    assert [(entry.domain, entry.version) for entry in read.opset_import] == [
        ("", 18),
        ("stochi", 1),
    ]
    assert [function.name for function in read.functions] == ["time_step"]
    (loop,) = (node for node in read.graph.node if node.op_type == "Loop")
    calls = [node for node in loop.attribute[0].g.node if node.domain == "stochi"]
    assert [node.op_type for node in calls] == ["time_step"]
    noted = {entry.key: entry.value for entry in read.metadata_props}
    assert noted["form"] == "integers" and noted["time_steps"] == "5" and noted["draws"] == "inside"


def test_an_unrolled_graph_calls_the_step_for_each_time_step(program: Program) -> None:
    written = to_onnx(program, unrolled=True)
    kinds = [node.op_type for node in written.graph.node]
    assert kinds.count("time_step") == 5 and "Loop" not in kinds
    assert len(written.functions) == 1


def test_any_number_of_samples_draws_as_in_the_whole_run(program: Program) -> None:
    written, inputs = to_onnx(program), torch.rand(40, 6)
    whole = run(program, inputs, seed=1).logits.numpy()
    for first, last in ((0, 1), (1, 17), (17, 40)):
        part = run_onnx(written, inputs[first:last], seed=1, trial=0, first_sample=first)
        assert np.array_equal(part["logits"], whole[first:last])


@pytest.mark.parametrize("sampling", ["step", "forward"])
@pytest.mark.parametrize("bits", [None, 3])
def test_floats_drawn_inside_are_those_given_from_outside(sampling: str, bits: int | None) -> None:
    model = from_nir(random_graph(sampling=sampling, bits=bits)).eval()
    inputs = torch.rand(30, 6)
    inside = run_onnx(to_onnx(model), inputs, **NUMBERS)["logits"]
    draws = draws_for_onnx(model, 30, **NUMBERS)
    outside = run_onnx(to_onnx(model, draws="input"), inputs, **draws)["logits"]
    np.testing.assert_allclose(inside, outside, atol=1e-6)
    other = run_onnx(to_onnx(model), inputs, **(NUMBERS | {"seed": 0}))["logits"]
    assert np.abs(other - inside).max() > 1e-3


def test_drawn_decays_have_the_distribution_of_the_neuron(graph: nir.NIRGraph) -> None:
    (drawn,) = draws_for_onnx(graph, 400, seed=1).values()
    assert drawn.shape == (5, 400, 50) and drawn.dtype == np.float32
    normal = np.log(drawn / (1 - drawn))  # σ = 1
    assert abs(normal.mean()) < 0.02 and abs(normal.std() - 1) < 0.02
    shares = [(normal < quantile).mean() for quantile in (-1.2816, 0.6745, 2.3263)]
    np.testing.assert_allclose(shares, [0.1, 0.75, 0.99], atol=0.01)
    assert abs(np.corrcoef(normal[0].ravel(), normal[1].ravel())[0, 1]) < 0.03
    assert abs(np.corrcoef(normal[..., 0].ravel(), normal[..., 1].ravel())[0, 1]) < 0.08


def test_the_draws_of_shift_registers_are_inputs(program: Program) -> None:
    target = replace(program.target, random_source="lfsr")
    by_register = replace(program, target=target)
    inputs = torch.rand(9, 6)
    draws = draws_for_onnx(by_register, 9, seed=7)
    found = run_onnx(to_onnx(by_register, draws="input"), inputs, **draws)
    assert np.array_equal(found["logits"], run(by_register, inputs, seed=7).logits.numpy())
    with pytest.raises(InputError, match=r"'lfsr'.*pass draws='input'"):
        to_onnx(by_register)


def test_images_are_rounded_to_8_bits_as_the_engine_does(program: Program) -> None:
    halves = (torch.arange(254) + 0.5) / 255
    inputs = torch.stack([halves.roll(place) for place in range(6)], 1)
    found = run_onnx(to_onnx(program), inputs, seed=0, trial=0, first_sample=0)
    assert np.array_equal(found["logits"], run(program, inputs).logits.numpy())


def test_images_of_bytes_reach_the_program_unchanged(program: Program) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(-1, 1).repeat(6, 1)
    shown = torch.from_numpy(levels.astype(np.float32) / 255)
    assert np.array_equal(lava_frames(program, shown).reshape(256, 6), levels)
    found = run_onnx(to_onnx(program), shown, seed=0, trial=0, first_sample=0)
    assert np.array_equal(found["logits"], run(program, shown).logits.numpy())


def test_a_program_takes_streams_of_images(program: Program) -> None:
    inputs = torch.rand(5, 3, 6)
    found = run_onnx(to_onnx(program, streams=True), inputs, seed=0, trial=0, first_sample=0)
    assert np.array_equal(found["logits"], run(program, inputs).logits.numpy())


@pytest.mark.parametrize(
    "nodes",
    [
        (pool(nir.SumPool2d), conv(4, 3, 3, padding=1), lif(4, 3, 3, v_threshold=2.0)),
        (pool(nir.AvgPool2d, 3, 1), conv(4, 3, 2), lif(4, 1, 1)),
        (conv(4, 3, 3), pool(nir.AvgPool2d), lif(4, 2, 2)),
    ],
    ids=["sums above a byte", "padded windows", "pooled currents"],
)
def test_pooled_images_are_summed_exactly(nodes: tuple[nir.NIRNode, ...]) -> None:
    out = np.shape(nodes[-1].v_threshold)  # type: ignore[union-attr]
    lowered = lower(chain(*nodes, shape=(3, 6, 6), out=out))
    inputs = torch.rand(20, 3, 6, 6)
    record = run(lowered, inputs, probes=("membrane",))
    found = run_onnx(to_onnx(lowered, probes=("membrane",)), inputs)
    for name, values in record.membrane.items():
        assert bool(values.any()) and np.array_equal(found[f"membrane.{name}"], values.numpy())


@pytest.mark.parametrize("weight", [[-256, 254, 0], [255, 1, 0], [-255, -1, 0], [0, 0, 0]])
def test_every_8_bit_weight_has_a_byte(weight: list[int]) -> None:
    mantissas = np.array([weight], np.int16)
    found = as_bytes(mantissas)
    back = found.factor * (found.values.astype(int) - found.zero)
    assert found.values.dtype == np.uint8 and np.array_equal(back, mantissas)


def test_a_module_is_written_with_its_parameters_of_now(graph: nir.NIRGraph) -> None:
    model = from_nir(graph)
    before = to_onnx(model)
    with torch.no_grad():
        next(model.parameters()).mul_(2)
    assert to_onnx(model) != before and to_onnx(from_nir(graph)) == before


def test_every_step_can_be_read() -> None:
    shape, build = PRIMITIVES["LIF"]
    made = build()
    made.metadata = {"dt": 1e-3, "steps": 4, "readout": "steps"}
    model, inputs = from_nir(made).eval(), torch.rand(3, *shape)
    expected = model(inputs).detach().numpy()
    for unrolled in (False, True):
        found = run_onnx(to_onnx(model, unrolled=unrolled), inputs)["logits"]
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert expected.shape == (4, 3, 8)


def test_probes_are_those_of_the_module() -> None:
    shape, build = PRIMITIVES["CubaLIF"]
    made = build()
    made.metadata = {"dt": 1e-3, "steps": 7}
    model, inputs = from_nir(made).eval(), torch.rand(3, *shape)
    found = run_onnx(to_onnx(model, probes=("spikes", "membrane")), inputs)
    with torch.no_grad():
        expected = list(model.run(inputs))
    for name in model.neurons():
        spikes = np.stack([step[name].sent.numpy() for step in expected])
        membrane = np.stack([step[name].membrane.numpy() for step in expected])  # type: ignore[union-attr]
        assert np.array_equal(found[f"spikes.{name}"], spikes > 0) and spikes.any()
        np.testing.assert_allclose(found[f"membrane.{name}"], membrane, atol=1e-5)


def _fixed(graph: nir.NIRGraph) -> GraphModel:
    model = from_nir(graph)
    for neuron in model.neurons().values():
        if neuron.random:
            neuron.sampling = "fixed"
    return model


def test_layers_may_be_called_like_states_and_probes() -> None:
    torch.manual_seed(1)
    one = np.ones(5)
    kinds = [nir.CubaLIF(2e-3 * one, 5e-3 * one, 3 * one, 0 * one, 0.1 * one) for _ in range(3)]
    names = ["w", "membrane", "v", "current", "u", "spikes"]
    weights = [nir.Affine(random(5, 5), np.zeros(5)) for _ in range(3)]
    nodes = [node for pair in zip(weights, kinds, strict=True) for node in pair]
    every = {"input": nir.Input(np.array([5])), **dict(zip(names, nodes, strict=True))}
    every["output"] = nir.Output(np.array([5]))
    order = list(every)
    made = nir.NIRGraph(every, list(pairwise(order)))
    made.metadata = {"dt": 1e-3, "steps": 6}
    lowered, inputs = lower(made, reset="zero"), torch.rand(4, 5)
    record = run(lowered, inputs, probes=("spikes", "membrane"))
    found = run_onnx(to_onnx(lowered, probes=("spikes", "membrane")), inputs)
    for name in ("membrane", "current", "spikes"):
        assert np.array_equal(found[f"membrane.{name}"], record.membrane[name].numpy())
        assert np.array_equal(found[f"spikes.{name}"], record.spikes[name].numpy())
    assert record.membrane["spikes"].any()


def test_a_module_with_nan_is_refused(graph: nir.NIRGraph, tmp_path: Path) -> None:
    model = from_nir(graph)
    name, values = next(iter(model.named_parameters()))
    with torch.no_grad():
        values.view(-1)[1] = torch.nan
    with pytest.raises(ExportError, match=f"{re.escape(name)} of the module holds NaN"):
        to_onnx(model, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_fixed_decays_are_written_once_they_are_drawn(graph: nir.NIRGraph) -> None:
    model, inputs = _fixed(graph), torch.rand(4, 6)
    with pytest.raises(InputError, match=r"neuron '.*': its fixed decays are not drawn yet"):
        to_onnx(model)
    expected = model(inputs).detach().numpy()
    np.testing.assert_allclose(run_onnx(to_onnx(model), inputs)["logits"], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"draws": "torch"}, "draws is 'torch'; choose from input, inside"),
        ({"probes": ("current",)}, "probes are"),
        ({"probes": "spikes"}, "probes are"),
    ],
)
def test_options_out_of_range_are_refused(
    program: Program, options: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        to_onnx(program, **options)  # type: ignore[arg-type]


def test_a_network_in_another_form_is_told_the_way() -> None:
    with pytest.raises(InputError, match=r"type Linear; pass a NIR graph .*to_nir"):
        to_onnx(nn.Linear(2, 2))  # type: ignore[arg-type]


def test_delays_that_take_too_many_states_are_refused(program: Program) -> None:
    assert stepped.ages_kept("input", [0, stepped.LONGEST_DELAY]) == stepped.LONGEST_DELAY
    delay = stepped.LONGEST_DELAY + 1
    first, *others = program.layers
    late = replace(first.projections[0], delay=np.array(delay, np.int32))
    delayed = replace(program, layers=(replace(first, projections=(late,)), *others))
    with pytest.raises(ExportError, match=f"a delay of {delay} time steps from 'input'"):
        to_onnx(delayed)


def test_draws_have_numbers_in_range(program: Program) -> None:
    for numbers in ({"seed": -1}, {"trial": 2**32}, {"first_sample": -1}):
        with pytest.raises(InputError):
            draws_for_onnx(program, 2, **numbers)
    with pytest.raises(InputError, match="batch is 0"):
        draws_for_onnx(program, 0)


def test_a_model_that_is_too_large_is_refused(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_file, "LARGEST", 100)
    with pytest.raises(InputError, match="protobuf holds 100"):
        to_onnx(program, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_without_onnx_the_message_says_what_to_install(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=r"needs the library onnx .*pip install 'stochi\[onnx\]'"):
        to_onnx(program)


def test_random_weights_do_not_hide_the_order_of_axes() -> None:
    weight = random(4, 3, 2, 3)
    node = nir.Conv2d(None, weight, (2, 1), (1, 0), (1, 2), 1, np.zeros(4))
    lowered = lower(chain(node, lif(4, 4, 3), shape=(3, 7, 7), out=(4, 4, 3)))
    inputs = torch.rand(6, 3, 7, 7)
    found = run_onnx(to_onnx(lowered), inputs)["logits"]
    assert np.array_equal(found, run(lowered, inputs).logits.numpy()) and found.any()
