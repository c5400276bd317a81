"""A graph as a torch module: as snnTorch computes, to the bit where it can be."""

from itertools import pairwise

import nir
import numpy as np
import pytest
import snntorch as snn
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from stochi.deploy import lower
from stochi.errors import GraphError, InputError
from stochi.export import from_nir, to_nir
from stochi.export.model.writing import written_graph
from stochi.train import RandomTauLeaky
from tests.conftest import NETWORKS

DT = 1e-3


@pytest.mark.parametrize("network", NETWORKS)
def test_a_model_and_its_graph_draw_and_answer_alike(network: str) -> None:
    build, shape = NETWORKS[network]
    net, images = build().eval(), torch.rand(20, *shape)
    model = from_nir(to_nir(net, images[:2]))
    torch.manual_seed(3)
    expected = net(images)
    torch.manual_seed(3)
    found = model(images)
    assert float(expected.detach().std()) > 0.05
    assert torch.equal(found, expected)
    assert not torch.equal(model(images), expected)


@pytest.mark.parametrize("network", NETWORKS)
def test_weights_are_named_like_the_nodes_and_learn(network: str) -> None:
    build, shape = NETWORKS[network]
    net = build().eval()
    model = from_nir(to_nir(net, torch.rand(2, *shape)))
    model(torch.rand(4, *shape)).square().sum().backward()
    named = dict(model.named_parameters())
    assert {"network.fc1.weight", "network.fc2.weight"} <= set(
        named
    ) or "network.conv1.weight" in named
    for name, parameter in named.items():
        learns = name.endswith(("weight", "bias"))
        assert parameter.requires_grad == learns, name
        if learns:
            assert parameter.grad is not None and bool(parameter.grad.any()), name


def lif(size: int, decay: float, reset: str, delay: bool, **metadata: object) -> nir.LIF:
    ones = np.ones(size)
    noted = {"reset": reset, "reset_delay": int(delay), **metadata}
    return nir.LIF(
        tau=ones * DT / (1 - decay),
        r=ones / (1 - decay),
        v_leak=ones * 0,
        v_threshold=ones,
        v_reset=ones * 0,
        metadata=noted,
    )


def chain(*nodes: nir.NIRNode, size: int = 5, outputs: int | None = None) -> nir.NIRGraph:
    named = {f"n{i}": node for i, node in enumerate(nodes)}
    names = ["input", *named, "output"]
    return nir.NIRGraph(
        {
            "input": nir.Input(np.array([size])),
            **named,
            "output": nir.Output(np.array([outputs or size])),
        },
        list(pairwise(names)),
        metadata={"dt": DT},
    )


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(["zero", "subtract", "none"]),
    st.booleans(),
    st.sampled_from([0.0, 0.5, 0.875]),
    st.integers(0, 2**31),
)
def test_resets_are_snntorch_s(kind: str, delay: bool, decay: float, seed: int) -> None:
    if kind == "subtract" and not delay:
        return  # snnTorch subtracts once more from a membrane that is still above the threshold
    generator = torch.Generator().manual_seed(seed)
    currents = torch.randint(-8, 16, (30, 4, 5), generator=generator) / 8
    neuron = snn.Leaky(decay, reset_mechanism=kind, reset_delay=delay)
    mem = neuron.reset_mem()
    expected = []
    for current in currents:
        spikes, mem = neuron(current, mem)
        expected.append(spikes)
    model = from_nir(chain(lif(5, decay, kind, delay)), readout="steps")
    found = model(currents)
    assert torch.equal(found, torch.stack(expected))


def test_membranes_are_read_before_a_delayed_reset() -> None:
    neuron = snn.Leaky(0.5)
    currents = torch.rand(12, 3, 5) * 3
    mem, expected = neuron.reset_mem(), []
    for current in currents:
        _, mem = neuron(current, mem)
        expected.append(mem)
    graph = chain(lif(5, 0.5, "subtract", True))
    graph.metadata |= {"reads": "membrane", "readout": "steps"}
    assert torch.allclose(from_nir(graph)(currents), torch.stack(expected))


def test_neurons_with_synaptic_memory_and_a_refractory_period_are_snntorch_s() -> None:
    """Its zero reset discards the next update: a reset to zero and one step without integration."""
    alpha, beta = 0.75, 0.5
    neuron = snn.Synaptic(alpha, beta, reset_mechanism="zero")
    currents = torch.randint(-8, 16, (40, 3, 5)) / 8
    syn, mem = neuron.reset_mem()
    expected = []
    for current in currents:
        spikes, syn, mem = neuron(current, syn, mem)
        expected.append(spikes)
    ones = np.ones(5)
    node = nir.CubaLIF(
        tau_mem=ones * DT / (1 - beta),
        tau_syn=ones * DT / (1 - alpha),
        r=ones / (1 - beta),
        v_leak=ones * 0,
        v_threshold=ones,
        v_reset=ones * 0,
        w_in=ones / (1 - alpha),
        metadata={"reset": "zero", "refractory": DT},
    )
    found = from_nir(chain(node), readout="steps")(currents)
    assert float(found.mean()) > 0.05
    assert torch.equal(found, torch.stack(expected))


def test_a_mean_gain_takes_the_resistance_and_a_constant_leak() -> None:
    """As on the chip: only the membrane's decay is drawn, which the bias does not know."""
    drawn = {"distribution": "uniform", "parameters": "0.1 0.9", "bits": 0}
    drawn |= {"sampling": "step", "input_gain": "mean"}
    node = lif(5, 0.5, "none", False, random_tau=drawn)
    node.r, node.v_leak = np.full(5, 3.0), np.full(5, 0.4)
    graph = chain(node)
    graph.metadata |= {"reads": "membrane", "readout": "steps"}
    currents = torch.rand(6, 4, 5, dtype=torch.float64)
    model = from_nir(graph, dtype=torch.float64)
    torch.manual_seed(0)
    found = model(currents)
    torch.manual_seed(0)
    membrane = torch.zeros(4, 5, dtype=torch.float64)
    for step, current in enumerate(currents):
        decay = model.neurons()["n0"].draw_decay(current)
        membrane = decay * membrane + 0.5 * (3 * current + 0.4)
        assert torch.allclose(found[step], membrane)


def test_recurrence_takes_the_spikes_of_the_step_before() -> None:
    torch.manual_seed(0)
    neuron = snn.RLeaky(0.5, linear_features=5, reset_mechanism="subtract")
    currents = torch.rand(25, 4, 5)
    spikes, mem = neuron.reset_mem()
    expected = []
    for current in currents:
        spikes, mem = neuron(current, spikes, mem)
        expected.append(spikes)
    inner = neuron.recurrent
    graph = chain(lif(5, 0.5, "subtract", True))
    weight, bias = inner.weight.detach().numpy(), inner.bias.detach().numpy()
    graph.nodes["n0.recurrent"] = nir.Affine(weight, bias)
    graph.edges += [("n0", "n0.recurrent"), ("n0.recurrent", "n0")]
    found = from_nir(graph, readout="steps")(currents)
    assert 0.05 < float(found.mean()) < 0.95
    assert torch.equal(found, torch.stack(expected))


def test_sources_add_up_before_and_after_weights_and_a_bias_counts_once() -> None:
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=(4, 3)), generator.normal(size=(2, 4))
    bias = generator.normal(size=4)
    nodes = {
        "input": nir.Input(np.array([3])),
        "a": nir.Scale(np.array([1.0, 2.0, 3.0])),
        "b": nir.Affine(first, bias),
        "c": nir.Affine(second, np.array([1.0, -1.0])),
        "output": nir.Output(np.array([2])),
    }
    edges = [("input", "a"), ("input", "b"), ("a", "b"), ("b", "c"), ("c", "output")]
    graph = nir.NIRGraph(nodes, edges, metadata={"dt": DT})
    model = from_nir(graph, time_steps=1, dtype=torch.float64)
    shown = torch.rand(6, 3, dtype=torch.float64)
    given_ = shown.numpy()
    hidden = (given_ + given_ * [1, 2, 3]) @ first.T + bias
    assert np.allclose(model(shown).detach().numpy(), hidden @ second.T + [1, -1], atol=1e-12)


def test_delays_show_what_was_sent_before() -> None:
    graph = chain(nir.Delay(np.array([0.0, 1, 2, 3, 0]) * DT), nir.Scale(np.ones(5)))
    model = from_nir(graph, readout="steps")
    shown = torch.rand(6, 2, 5)
    found = model(shown)
    for column, delay in enumerate([0, 1, 2, 3, 0]):
        assert torch.equal(found[delay:, :, column], shown[: 6 - delay, :, column])
        assert not found[:delay, :, column].any()


def test_a_node_may_have_any_name() -> None:
    graph = chain(nir.Scale(np.full(5, 2.0)), lif(5, 0.5, "zero", False))
    renamed = {"n0": "forward", "n1": "readout"}
    graph.nodes = {renamed.get(name, name): node for name, node in graph.nodes.items()}
    graph.edges = [(renamed.get(a, a), renamed.get(b, b)) for a, b in graph.edges]
    assert from_nir(graph)(torch.rand(2, 5)).shape == (2, 5)


def test_a_graph_gets_back_what_was_trained_and_nothing_else() -> None:
    build, shape = NETWORKS["conv"]
    graph = to_nir(build().eval(), torch.rand(2, *shape))
    model = from_nir(graph)
    same = written_graph(model)
    for name, node in graph.nodes.items():
        for what, values in vars(node).items():
            if isinstance(values, np.ndarray):
                assert np.array_equal(values, getattr(same.nodes[name], what)), (name, what)
    with torch.no_grad():
        model.get_parameter("network.conv2.weight").mul_(2)
        model.get_buffer("network.lif1.threshold").fill_(0.25)
    changed = written_graph(model)
    conv = changed.nodes["network.conv2"]
    assert np.allclose(conv.weight, 2 * graph.nodes["network.conv2"].weight)
    assert np.all(changed.nodes["network.lif1"].v_threshold == 0.25)


def test_decays_and_gains_are_written_as_time_constants() -> None:
    graph = chain(lif(5, 0.5, "zero", False))
    model = from_nir(graph, dtype=torch.float64)
    model.get_buffer("n0.decay").fill_(0.25)
    again = from_nir(written_graph(model), dtype=torch.float64)
    assert torch.allclose(again.get_buffer("n0.decay"), model.get_buffer("n0.decay"))
    assert torch.allclose(again.get_buffer("n0.gain"), model.get_buffer("n0.gain"))
    model.get_buffer("n0.decay").fill_(1.0)
    with pytest.raises(InputError, match="'n0'"):
        written_graph(model)


@pytest.mark.parametrize(
    ("readout", "answers"), [("mean", "mean"), ("sum", "mean"), ("steps", "mean"), ("last", "last")]
)
def test_it_answers_as_a_program_does(readout: str, answers: str) -> None:
    graph, inputs = chain(lif(5, 0.5, "zero", False)), 3 * torch.rand(2, 5)
    model = from_nir(graph, readout=readout)
    outputs = from_nir(graph, readout="steps")(inputs)
    assert not torch.equal(outputs[-1], outputs.mean(0))
    expected = outputs[-1] if answers == "last" else outputs.mean(0)
    assert torch.equal(model.answering()(inputs), expected)
    assert lower(to_nir(model, inputs)).over_time == answers


def test_a_readout_is_written_if_it_changes_what_a_program_reads() -> None:
    graph = chain(lif(5, 0.5, "zero", False))
    assert "readout" not in graph.metadata
    assert "readout" not in written_graph(from_nir(graph, readout="sum")).metadata
    last = written_graph(from_nir(graph, readout="last"))
    assert last.metadata["readout"] == "last" and "readout" not in graph.metadata
    assert written_graph(from_nir(last)).metadata["readout"] == "last"
    assert written_graph(from_nir(last, readout="sum")).metadata["readout"] == "sum"


def test_bad_arguments_are_one_sentence() -> None:
    graph = chain(lif(5, 0.5, "zero", False))
    with pytest.raises(GraphError, match="a NIR graph is needed"):
        from_nir(nn.Linear(2, 2))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="readout is 'median'"):
        from_nir(graph, readout="median")
    with pytest.raises(InputError, match="time_steps is 0"):
        from_nir(graph, time_steps=0)
    with pytest.raises(InputError, match=r"inputs have shape \(2, 4\)"):
        from_nir(graph)(torch.rand(2, 4))
    with pytest.raises(InputError, match="floating-point"):
        from_nir(graph, dtype=torch.int32)


def test_surrogates_of_attacks_reach_its_neurons() -> None:
    from stochi.attacks import PGD

    build, shape = NETWORKS["dense"]
    model = from_nir(to_nir(build().eval(), torch.rand(2, *shape))).eval()
    images, labels = torch.rand(8, *shape), torch.randint(3, (8,))
    attacked = PGD(0.1, iterations=5, surrogates="adaptive").run(model, images, labels)
    assert float((attacked.inputs - images).abs().max()) > 0.01
    neuron = next(iter(model.neurons().values()))
    assert isinstance(neuron.spike_grad, type(snn.surrogate.atan()))


def test_random_neurons_draw_from_tables_and_once_a_pass() -> None:
    net = nn.Sequential(
        nn.Linear(5, 6), RandomTauLeaky(bits=2, sampling="forward", init_hidden=True)
    )
    from stochi.train import RepeatSteps

    wrapped = RepeatSteps(net, 6).eval()
    images = torch.rand(7, 5) * 3
    model = from_nir(to_nir(wrapped, images))
    torch.manual_seed(1)
    expected = wrapped(images)
    torch.manual_seed(1)
    assert torch.equal(model(images), expected)
