"""Neurons of a graph in real numbers: one time step as a pure function, and a module around it."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import snntorch as snn
import torch
from torch import nn

from stochi.deploy.graph.neurons import RealNeuron
from stochi.deploy.graph.random_tau import RandomTau
from stochi.export.model.random_decay import RandomDecay
from stochi.hardware.neuron import RESETS, SUBTRACT, TO_ZERO, NeuronKind

NUMBERS = ("decay", "gain", "threshold", "current_decay")

Spike = Callable[[torch.Tensor], torch.Tensor]


class State(NamedTuple):
    """State of neurons, (batch, *shape) each; a part that they do not need is None.

    Attributes:
        membrane: v; before the reset if that comes with the next time step, else after it.
        current: synaptic current.
        waiting: time steps left of the refractory period.
    """

    membrane: torch.Tensor
    current: torch.Tensor | None = None
    waiting: torch.Tensor | None = None


class Dynamics(NamedTuple):
    """Numbers of one time step, which broadcast over (batch, *shape).

    Attributes:
        decay: λ.
        gain: factor of the input.
        threshold: θ, or None for neurons that never spike.
        current_decay: α, or None without synaptic memory.
        leak: what leaking to another value than 0, and noise, add to the membrane, or None.
    """

    decay: torch.Tensor | float
    gain: torch.Tensor | float
    threshold: torch.Tensor | None
    current_decay: torch.Tensor | None
    leak: torch.Tensor | None = None


def step(
    state: State, given: torch.Tensor, dynamics: Dynamics, kind: NeuronKind, spike: Spike
) -> tuple[torch.Tensor, State]:
    """Advance neurons by a time step: ``i := α·i + x``, ``v := λ·v + g·i``, a spike if ``v > θ``.

    The forward Euler steps of NIR's equations, with snnTorch's resets. Resets pass no gradient, as
    in snnTorch.

    Args:
        state: the state before the step.
        given: x, (batch, *shape).
        dynamics: numbers of this step.
        kind: what a spike does; the gain is ``dynamics``'.
        spike: a surrogate of snnTorch: 1 if its argument ``v − θ`` is positive.

    Returns:
        Spikes, or zeros for neurons that never spike, and the state after the step.
    """
    before, current, waiting = state
    threshold = dynamics.threshold
    start: torch.Tensor = before
    lost: torch.Tensor | None = None
    if kind.reset_delay and threshold is not None:
        fired = spiked(state, threshold, kind)
        if kind.reset == TO_ZERO:
            start = before * (1 - fired)
        elif kind.reset == SUBTRACT:
            lost = fired * threshold
    if current is not None:
        assert dynamics.current_decay is not None
        given = current = dynamics.current_decay * current + given
    membrane = dynamics.decay * start + dynamics.gain * given
    if dynamics.leak is not None:
        membrane = membrane + dynamics.leak
    if lost is not None:
        membrane, start = membrane - lost, start - lost
    if waiting is not None:
        membrane = torch.where(waiting > 0, start, membrane)
    if threshold is None:
        return torch.zeros_like(membrane), State(membrane, current, waiting)
    spikes = spike(membrane - threshold).to(membrane.dtype)
    if waiting is not None:
        spikes = spikes * (waiting <= 0)
        waiting = (waiting - 1).clamp(min=0) + kind.refractory * spikes.detach()
    now = spikes.detach()
    if not kind.reset_delay and kind.reset == TO_ZERO:
        membrane = membrane * (1 - now)
    elif not kind.reset_delay and kind.reset == SUBTRACT:
        membrane = membrane - now * threshold
    if kind.reset_current and current is not None:
        current = current * (1 - now)
    return spikes, State(membrane, current, waiting)


def spiked(state: State, threshold: torch.Tensor, kind: NeuronKind) -> torch.Tensor:
    """Return which neurons spiked in the time step before, as a delayed reset tells: 1 or 0."""
    fired = state.membrane > threshold
    if state.waiting is not None:
        fired = fired & (state.waiting == kind.refractory)
    return fired.to(state.membrane.dtype).detach()


def straight_through(distance: torch.Tensor) -> torch.Tensor:
    """Return spikes with a slope of 1: that of a random gate's mean, p·s, behind the factor p."""
    spikes = (distance > 0).to(distance.dtype)
    return spikes + (distance - distance.detach())


class GraphNeuron(RandomDecay):
    """Neurons of a graph's node.

    Args:
        neuron: their real numbers. Those that it names as learned become parameters, the others
            buffers.
        shape: shape of the neurons.
        dtype: type of the numbers.

    Attributes:
        decay, gain, threshold, current_decay, rest: as in :class:`RealNeuron`.
        random: whether λ is drawn.
        noise: what is added to the membranes at every time step, or None.
        gate: whether they are random gates, whose mean is linear, with a gradient to match.
        kind: what a spike does.
        spike_grad: the surrogate gradient.
    """

    def __init__(self, neuron: RealNeuron, shape: tuple[int, ...], dtype: torch.dtype) -> None:
        super().__init__()
        self.shape = shape
        self.decay: torch.Tensor
        self.gain: torch.Tensor
        self.threshold: torch.Tensor | None
        self.current_decay: torch.Tensor | None
        self.rest: torch.Tensor | None
        self.noise = neuron.noise
        rest = _number(neuron.rest, shape, dtype) if np.any(neuron.rest) else None
        self.register_buffer("rest", rest)
        for what in NUMBERS:
            values = getattr(neuron, what)
            number = None if values is None else _number(values, shape, dtype)
            if what in neuron.learns and number is not None:
                self.register_parameter(what, nn.Parameter(number))
            else:
                self.register_buffer(what, number)
        random = neuron.random or neuron.mean_of
        self.random = random is not None
        if random is not None:
            self.begin_drawing(
                random.distribution,
                sampling=random.sampling,
                input_gain=random.input_gain,
                bits=random.bits or None,
                generator=None,
                learn="distribution" in neuron.learns,
            )
        self.kind = NeuronKind(
            False,
            RESETS.index(neuron.reset),
            neuron.reset_delay,
            neuron.reset_current,
            neuron.refractory,
        )
        self.gate = neuron.gate
        self.spike_grad: Spike = straight_through if self.gate else snn.surrogate.atan()

    def begin(self, like: torch.Tensor) -> State:
        """Return the state at rest for a batch such as ``like``, and forget the last draw."""
        self.forget_draws()
        zeros = like.new_zeros(len(like), *self.shape)
        current = None if self.current_decay is None else zeros
        return State(zeros, current, zeros if self.kind.refractory else None)

    def forward(self, given: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        """Advance by a time step; see :func:`step`.

        Args:
            given: input of the neurons, (batch, *shape).
            state: state before the step.

        Returns:
            Spikes, and the state after the step.
        """
        return step(state, given, self.dynamics(given), self.kind, self.spike_grad)

    def random_tau(self) -> RandomTau:
        """Return the distribution of λ with the current parameters, and how it is drawn."""
        return RandomTau(self.distribution, self.sampling, self.input_gain, self.bits or 0)

    def changed(self, what: str, values: np.ndarray | None) -> np.ndarray | None:
        """Return a number's values, float64, or None if they are still the given ones."""
        number = getattr(self, what)
        if number is None or values is None:
            return None
        if torch.equal(number, _number(values, self.shape, number.dtype).to(number)):
            return None
        found: np.ndarray = number.detach().cpu().double().numpy()
        return found

    def extra_repr(self) -> str:
        """Return the options that a printed network shows."""
        random = f", {self.distribution}, sampling={self.sampling!r}" if self.random else ""
        noise = "" if self.noise is None else f", {self.noise}"
        return f"shape={self.shape}, reset={RESETS[self.kind.reset]!r}{random}{noise}"

    def dynamics(self, like: torch.Tensor, drawn: torch.Tensor | None = None) -> Dynamics:
        """Return the numbers of a time step, with a new draw of λ if it is drawn at every step.

        Args:
            like: input of the neurons, (batch, *shape).
            drawn: λ of this time step, to draw none here.
        """
        decay: torch.Tensor | float = self.decay
        gain: torch.Tensor | float = self.gain
        leaving = 1 - decay
        if self.random:
            decay = self.draw_decay(like) if drawn is None else drawn
            coupled = self.input_gain == "coupled"
            # With the gain of the mean λ, the leak is a constant too, as in a chip's stock neuron.
            leaving = 1 - (decay if coupled else self.mean_decay())
            if self.learns_decays or (coupled and self.sampling != "mean"):
                gain = leaving
        leak = None if self.rest is None else leaving * self.rest
        if self.noise is not None:
            noise = self.noise.draw(like, None)
            leak = noise if leak is None else leak + noise
        return Dynamics(decay, gain, self.threshold, self.current_decay, leak)


def _number(values: np.ndarray, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """Return a number; one value per channel broadcasts over positions."""
    tensor = torch.from_numpy(np.array(values)).to(dtype)
    return tensor.reshape((-1,) + (1,) * (len(shape) - 1)) if tensor.dim() == 1 else tensor
