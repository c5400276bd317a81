"""Resets of snnTorch's neurons, step by step, with numbers that the chip represents exactly."""

import nir
import numpy as np
import pytest
import snntorch as snn
import torch

from stochi.deploy import Program, lower
from stochi.errors import GraphError, LoweringError
from stochi.sim import run

DT, STEPS = 1e-3, 30
ACTIVE, INPUTS, NEURONS = 12, 36, 9
UNIT = 2.0**-4
"""Step of the weights, which are even multiples of it up to ±254, so eight bits hold them."""


def exact_weight(reads: str = "spikes") -> np.ndarray:
    """Return weights of which some are several times the threshold of 1.

    Lowering makes room for membranes that are read. If spikes are read, the largest weights are
    those of inputs that are never active, which makes room too.
    """
    rng = np.random.default_rng(3)
    weight = 2 * rng.integers(-20, 21, (NEURONS, INPUTS))
    largest = np.where(np.arange(ACTIVE, INPUTS) % 2, 254, -254)
    weight[:, ACTIVE:] = largest if reads == "spikes" else 0
    weight[:2, 0] = 254, -254
    return weight * UNIT


def events() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    shown = (torch.rand(STEPS, 40, INPUTS, generator=generator) < 0.3).float()
    shown[..., ACTIVE:] = 0
    return shown


def tau_of(decay: float) -> np.ndarray:
    return np.full(NEURONS, DT / (1 - decay))


def graph(node: nir.NIRNode, weight: np.ndarray, **metadata: object) -> nir.NIRGraph:
    ends = {"input": nir.Input(np.array([INPUTS])), "output": nir.Output(np.array([NEURONS]))}
    return nir.NIRGraph(
        {**ends, "a": nir.Linear(weight), "n": node},
        [("input", "a"), ("a", "n"), ("n", "output")],
        metadata={"dt": DT, "steps": STEPS, **metadata},
    )


def leaky(beta: float, **metadata: object) -> nir.NIRNode:
    ones = np.ones(NEURONS)
    if beta == 1:
        return nir.IF(ones / DT, ones, metadata=metadata)
    tau = tau_of(beta)
    return nir.LIF(tau, tau / DT, 0 * ones, ones, metadata=metadata)


def lowered(node: nir.NIRNode, weight: np.ndarray, **metadata: object) -> Program:
    return lower(graph(node, weight, **metadata), noise="none", events=True)


def stepped(neurons: torch.nn.Module, weight: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Run snnTorch's neurons in float64; return spikes and membranes at every time step."""
    spikes, membranes = [], []
    for frame in events().double():
        fired, *state = neurons.double()(frame @ torch.from_numpy(weight).T)
        spikes.append(fired.bool())
        membranes.append(state[-1])
    return torch.stack(spikes), torch.stack(membranes)


@pytest.mark.parametrize("reads", ["spikes", "membrane"])
@pytest.mark.parametrize("beta", [0.5, 0.875, 1.0])
@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
def test_leaky_has_its_spikes_on_the_chip(reset: str, beta: float, reads: str) -> None:
    """Strong inputs leave membranes above the threshold after a subtraction."""
    weight = exact_weight(reads)
    neurons = snn.Leaky(beta=beta, reset_mechanism=reset, reset_delay=True)
    spikes, membranes = stepped(neurons, weight)
    assert 0.05 < float(spikes.double().mean()) < 0.95
    assert bool((membranes > 2).any()) and bool((membranes < -1).any())
    program = lowered(leaky(beta, reset=reset, reset_delay=1), weight, reads=reads)
    layer = program.layers[0]
    late = reset == "subtract" or (reset == "zero" and reads == "membrane")
    assert (layer.reset, layer.reset_delay, program.readout) == (reset, late, reads)
    record = run(program, events(), probes=("spikes", "membrane"))
    # A decay truncates toward 0 by less than a unit in each time step.
    close = 2 / layer.membrane_unit / (1 - beta) if beta < 1 else 0.0
    clear = (membranes - 1).abs() > close
    assert torch.equal(record.spikes["n"][clear], spikes[clear])
    assert float(clear.double().mean()) > 0.95
    if late or reset == "none":
        ours = record.membrane["n"].double() / layer.membrane_unit
        assert float((ours - membranes).abs().max()) <= close
    expected = (membranes if reads == "membrane" else spikes.double()).mean(0)
    missed = float((~clear).double().mean(0).max())
    assert float((record.logits - expected).abs().max()) <= (
        close if reads == "membrane" else missed
    )


@pytest.mark.parametrize("reads", ["spikes", "membrane"])
@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
def test_synaptic_has_its_spikes_on_the_chip(reset: str, reads: str) -> None:
    """Its reset to zero discards the update after a spike: a refractory period of a step."""
    weight, alpha, beta = exact_weight(reads), 0.75, 0.5
    spikes, membranes = stepped(snn.Synaptic(alpha=alpha, beta=beta, reset_mechanism=reset), weight)
    assert 0.05 < float(spikes.double().mean()) < 0.95
    noted = {"reset": reset, "reset_delay": 1, "refractory": DT if reset == "zero" else 0.0}
    ones = np.ones(NEURONS)
    node = nir.CubaLIF(
        tau_of(alpha),
        tau_of(beta),
        tau_of(beta) / DT,
        0 * ones,
        ones,
        w_in=tau_of(alpha) / DT,
        metadata=noted,
    )
    program = lowered(node, weight, reads=reads)
    layer, record = program.layers[0], run(program, events(), probes=("spikes", "membrane"))
    close = 16 / layer.membrane_unit
    # Two decays are truncated. Until a membrane comes that near to the threshold, spikes are equal.
    certain = ((membranes - 1).abs() > close).cummin(0).values
    assert float(certain.double().mean()) > 0.8
    assert torch.equal(record.spikes["n"][certain], spikes[certain])
    if reads == "membrane":
        ours = record.membrane["n"].double() / layer.membrane_unit
        assert float((ours - membranes).abs().max()) <= close
        assert float((record.logits - membranes.mean(0)).abs().max()) <= close


@pytest.mark.lava
@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
def test_lava_has_the_same_membranes(reset: str) -> None:
    program = lowered(
        leaky(0.875, reset=reset, reset_delay=1, refractory=DT), exact_weight(), reads="membrane"
    )
    ours, theirs = (
        run(program, events(), backend=backend, probes=("membrane",))
        for backend in ("engine", "lava")
    )
    assert torch.equal(ours.membrane["n"], theirs.membrane["n"])
    assert torch.equal(ours.logits, theirs.logits) and bool(ours.logits.any())


def test_a_stock_neuron_resets_to_zero_late_or_not() -> None:
    for noted in ({}, {"reset_delay": 1}, {"reset_delay": 1, "refractory": 2 * DT}):
        program = lower(
            graph(leaky(0.5, **noted), exact_weight()), "loihi1", noise="none", events=True
        )
        layer = program.layers[0]
        assert (layer.reset, layer.reset_delay) == ("zero", False)
        assert not layer.resets_in_microcode and not layer.decay.programmable


@pytest.mark.parametrize(
    ("noted", "reads", "says"),
    [
        ({"reset": "subtract"}, "spikes", r"'n': reset 'subtract' takes.*loihi1 has none.*loihi2"),
        ({"reset": "none"}, "spikes", r"reset 'none' takes .*train with reset 'zero'"),
        ({"reset": "subtract", "reset_delay": 1}, "spikes", r"beginning of the next time step"),
        ({"reset_delay": 1}, "membrane", r"read before it, takes .* or read the spikes"),
        ({"reset_current": 1}, "spikes", r"of the membrane and the current.*of membranes only"),
    ],
)
def test_loihi_1_resets_to_zero_at_once(noted: dict, reads: str, says: str) -> None:
    tau, ones = tau_of(0.5), np.ones(NEURONS)
    node = nir.CubaLIF(tau, tau, tau / DT, 0 * ones, ones, metadata=noted)
    with pytest.raises(LoweringError, match=says):
        lower(graph(node, exact_weight(), reads=reads), "loihi1", noise="none", events=True)


@pytest.mark.parametrize(
    ("noted", "metadata", "says"),
    [
        ({"reset_delay": 2}, {}, "node 'n': metadata 'reset_delay' is 2; it must be 1 or 0"),
        ({"reset_current": "yes"}, {}, "node 'n': metadata 'reset_current' is 'yes'"),
        ({"reset": "hard"}, {}, "node 'n': metadata 'reset' is 'hard'.*zero, subtract, none"),
        ({}, {"reads": "spike"}, "metadata 'reads' is 'spike'; choose from spikes, membrane"),
        ({}, {"readout": "max"}, "'readout' is 'max'; choose from mean, sum, last, steps"),
    ],
)
def test_metadata_that_is_not_known_is_refused(noted: dict, metadata: dict, says: str) -> None:
    with pytest.raises(GraphError, match=says):
        lowered(leaky(0.5, **noted), exact_weight(), **metadata)


def test_the_reset_does_not_change_how_input_is_scaled() -> None:
    program = lowered(leaky(0.5, reset="subtract", reset_delay=1), exact_weight())
    plain = lowered(leaky(0.5), exact_weight())
    assert not program.layers[0].decay.programmable
    ours, theirs = (p.layers[0].projections[0].weight for p in (program, plain))
    assert np.array_equal(ours, theirs) and program.layers[0].scale == plain.layers[0].scale
