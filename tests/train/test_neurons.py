import copy
import math

import pytest
import snntorch as snn
import torch
from snntorch import surrogate, utils

from stochi.errors import InputError
from stochi.export.model.neuron import Dynamics, State, step
from stochi.hardware.distributions import LogitNormal, Uniform
from stochi.hardware.neuron import RESETS, NeuronKind
from stochi.train import RandomTauLeaky


def published_recurrence(currents, decays, threshold, coupled):  # type: ignore[no-untyped-def]
    """RandHet-SNN's equations, one scalar neuron at a time, in plain Python floats."""
    steps, batch, size = currents.shape
    spikes = torch.zeros(steps, batch, size)
    for b in range(batch):
        for n in range(size):
            u = 0.0
            for t in range(steps):
                lam = float(decays[t, b, n])
                gain = 1 - lam if coupled else 0.5
                u = lam * u + gain * float(currents[t, b, n])
                if u > threshold:
                    spikes[t, b, n] = 1
                    u = 0.0
    return spikes


@pytest.mark.parametrize("coupled", [True, False])
def test_neuron_follows_the_published_recurrence(coupled: bool) -> None:
    currents = 1.5 * torch.rand(12, 3, 5, dtype=torch.float64)
    neuron = RandomTauLeaky(
        sigma=1.3,
        sampling="step",
        input_gain="coupled" if coupled else "mean",
        generator=torch.Generator().manual_seed(4),
    )
    generator = torch.Generator().manual_seed(4)
    decays = torch.stack(
        [
            1 / (1 + torch.exp(-1.3 * torch.randn(3, 5, generator=generator, dtype=torch.float64)))
            for _ in range(12)
        ]
    )
    mem = neuron.reset_mem()
    spikes = []
    for current in currents:
        spike, mem = neuron(current, mem)
        assert not bool(mem[spike > 0].any())
        spikes.append(spike)
    expected = published_recurrence(currents, decays, 0.5, coupled)
    assert torch.equal(torch.stack(spikes).float(), expected)
    assert 0 < expected.mean() < 1


def run(neuron: RandomTauLeaky, currents: torch.Tensor) -> torch.Tensor:
    neuron.reset_mem()
    return torch.stack([neuron(current) for current in currents])


@pytest.mark.parametrize("shape", [(7,), (3, 4, 5)])
@pytest.mark.parametrize("bits", [None, 3])
def test_sampling_modes_draw_when_they_should(shape: tuple[int, ...], bits: int | None) -> None:
    """With one input at the first step, the membrane's ratio over a step is λ itself."""
    currents = torch.zeros(4, 6, *shape)
    currents[0] = 0.4
    decays = {}
    for sampling in ("step", "forward", "fixed", "mean"):
        neuron = RandomTauLeaky(
            sampling=sampling, threshold=10, bits=bits, init_hidden=True, output=True
        )
        passes = []
        for _ in range(2):
            neuron.reset_mem()
            mem = torch.stack([neuron(current)[1] for current in currents])
            passes.append(mem[1:] / mem[:-1])
        decays[sampling] = torch.stack(passes)  # (pass, step, batch, neuron…)
    step, forward, fixed, mean = (decays[m] for m in ("step", "forward", "fixed", "mean"))
    assert not torch.allclose(step[0, 0], step[0, 1])
    assert torch.allclose(forward[:, 0], forward[:, 1], rtol=1e-4)
    assert not torch.allclose(forward[0], forward[1])
    assert not torch.allclose(forward[0, 0, 0], forward[0, 0, 1])
    assert torch.allclose(fixed[0, 0], fixed[1, 2], rtol=1e-4)
    assert torch.allclose(fixed[0, 0, 0], fixed[0, 0, 1], rtol=1e-4)
    assert float(fixed.std()) > 0.05
    assert torch.allclose(mean, torch.tensor(0.5))
    if bits:
        levels = RandomTauLeaky(bits=bits).levels
        nearest = (step[..., None] - levels).abs().min(-1).values
        assert float(nearest.max()) < 1e-5


def test_another_distribution_can_be_set() -> None:
    neuron = RandomTauLeaky(bits=1)
    neuron.distribution = Uniform(0.5, 0.75)
    assert neuron.levels.tolist() == [0.5625, 0.6875]
    assert float(neuron.beta) == pytest.approx(0.625)
    with pytest.raises(InputError, match="distribution_parameters"):
        RandomTauLeaky(learn_distribution=True).distribution = Uniform(0.5, 0.75)


def test_lambda_is_logit_normal() -> None:
    neuron = RandomTauLeaky(sigma=2.0)
    drawn = neuron._draw(torch.zeros(200_000))
    logits = torch.log(drawn / (1 - drawn))
    assert float(logits.mean()) == pytest.approx(0, abs=0.02)
    assert float(logits.std()) == pytest.approx(2.0, rel=0.01)


@pytest.mark.parametrize(
    "spike_grad", [None, surrogate.fast_sigmoid(), surrogate.atan(), surrogate.triangular()]
)
def test_any_surrogate_passes_gradients(spike_grad) -> None:  # type: ignore[no-untyped-def]
    neuron = RandomTauLeaky(spike_grad=spike_grad, init_hidden=True)
    currents = torch.rand(3, 2, 4, requires_grad=True)
    run(neuron, currents).sum().backward()
    assert currents.grad is not None and float(currents.grad.abs().sum()) > 0


def test_generator_repeats_and_leaves_torch_s_own_alone() -> None:
    state = torch.get_rng_state()
    currents = torch.rand(3, 2, 4, generator=torch.Generator().manual_seed(0))
    outputs = []
    for seed in (1, 1, 2):
        neuron = RandomTauLeaky(
            sigma=0.8,
            threshold=0.2,
            init_hidden=True,
            generator=torch.Generator().manual_seed(seed),
        )
        outputs.append(run(neuron, currents))
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])
    assert torch.equal(state, torch.get_rng_state())


def test_it_is_a_snn_leaky_in_both_styles() -> None:
    neuron = RandomTauLeaky(sampling="forward", init_hidden=True)
    assert isinstance(neuron, snn.Leaky)
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), neuron)
    net(torch.ones(2, 3))
    first = neuron._forward_decay
    net(torch.ones(2, 3))
    assert neuron._forward_decay is first
    utils.reset(net)
    net(torch.ones(2, 3))
    assert neuron._forward_decay is not first
    by_hand = RandomTauLeaky(sampling="forward")
    mem = by_hand.init_leaky()
    _, mem = by_hand(torch.ones(2, 3), mem)
    second = by_hand._forward_decay
    by_hand(torch.ones(2, 3), mem)
    assert by_hand._forward_decay is second
    by_hand(torch.ones(2, 3), torch.zeros(2, 3))
    assert by_hand._forward_decay is not second


def test_reset_mechanisms() -> None:
    for mechanism, left in (("zero", 0.0), ("subtract", 0.5), ("none", 1.0)):
        neuron = RandomTauLeaky(sigma=0.0, reset_mechanism=mechanism)
        spike, mem = neuron(torch.full((1, 1), 2.0), neuron.init_leaky())
        assert spike.item() == 1 and mem.item() == left


def test_fixed_decays_travel_with_the_state_dict() -> None:
    neuron = RandomTauLeaky(sampling="fixed", init_hidden=True)
    neuron(torch.ones(2, 3))
    other = RandomTauLeaky(sampling="fixed", init_hidden=True)
    other.load_state_dict(neuron.state_dict())
    assert torch.equal(other.fixed_decay, neuron.fixed_decay) and other.fixed_decay.numel() == 3
    with pytest.raises(InputError, match="fixed decays"):
        other(torch.ones(2, 5))


def test_step_is_a_pure_function() -> None:
    mem, current = torch.tensor([0.4]), torch.tensor([1.0])
    dynamics = Dynamics(0.5, 0.5, torch.tensor(0.5), None)
    kinds = {reset: NeuronKind(False, RESETS.index(reset)) for reset in RESETS}
    for reset, after in (("none", 0.7), ("subtract", 0.2), ("zero", 0.0)):
        spikes, state = step(State(mem), current, dynamics, kinds[reset], surrogate.atan())
        assert spikes.item() == 1 and state.membrane.item() == pytest.approx(after)
    assert mem.item() == pytest.approx(0.4)


def test_it_can_be_copied_after_use() -> None:
    neuron = RandomTauLeaky(init_hidden=True)
    neuron(torch.ones(2, 3))
    assert copy.deepcopy(neuron).distribution == LogitNormal(1.0)


def test_sigma_is_not_taken_for_the_beta_of_a_snn_leaky() -> None:
    with pytest.raises(TypeError):
        RandomTauLeaky(0.95)  # type: ignore[misc]


@pytest.mark.parametrize(
    "bad",
    [
        {"sigma": -1},
        {"sigma": math.nan},
        {"sampling": "always"},
        {"input_gain": "none"},
        {"bits": 9},
        {"threshold": -1.0},
        {"threshold": math.nan},
        {"threshold": torch.tensor([0.5, -0.1])},
    ],
)
def test_arguments_out_of_range_are_errors(bad: dict) -> None:
    with pytest.raises(InputError):
        RandomTauLeaky(**bad)


def test_a_printed_neuron_shows_its_options() -> None:
    shown = repr(RandomTauLeaky(sigma=2.0, bits=4, sampling="forward", input_gain="mean"))
    for option in ("sigma=2.0", "bits=4", "sampling='forward'", "input_gain='mean'"):
        assert option in shown
