"""A leaky integrate-and-fire neuron that draws its time constant at random."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import snntorch as snn
import torch

from stochi.errors import InputError
from stochi.hardware.decays import check_bits, decay_table
from stochi.hardware.distributions import DecayDistribution, LogitNormal, Reparameterized
from stochi.hardware.fixed_point import DECAY_UNITY
from stochi.program.layers import Decay
from stochi.train.neurons.learned_distribution import (
    LearnedDecays,
    check_learnable,
    learned_levels,
)

SAMPLING_MODES = ("step", "forward", "fixed", "mean")
INPUT_GAINS = ("coupled", "mean")


def random_tau_step(
    membrane: torch.Tensor,
    current: torch.Tensor,
    decay: torch.Tensor | float,
    gain: torch.Tensor | float,
    threshold: torch.Tensor,
    spike: Callable[[torch.Tensor], torch.Tensor],
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Compute one step of the reference dynamics, ``u := λ·u + g·I`` with a spike if ``u > θ``.

    RandHet-SNN (Wang et al., iScience 2025) uses ``g = 1 − λ``.

    Args:
        membrane: u before the step.
        current: I.
        decay: λ.
        gain: g.
        threshold: θ.
        spike: a surrogate of snnTorch: 1 if its argument ``u − θ`` is positive, with a gradient of
            its own.

    Returns:
        Spikes, the membrane before any reset, and the reset signal (the detached spikes).
    """
    updated = decay * membrane + gain * current
    # snnTorch's surrogates return float32 for every input type.
    spikes = spike(updated - threshold).to(updated.dtype)
    return spikes, updated, spikes.detach()


def check_neuron_options(sigma: float, sampling: str, input_gain: str, bits: int | None) -> None:
    """Raise InputError if an option of :class:`RandomTauLeaky` is out of range."""
    LogitNormal(sigma)
    if sampling not in SAMPLING_MODES:
        raise InputError(f"sampling is {sampling!r}; choose from {', '.join(SAMPLING_MODES)}")
    if input_gain not in INPUT_GAINS:
        raise InputError(f"input_gain is {input_gain!r}; choose from {', '.join(INPUT_GAINS)}")
    if bits is not None:
        check_bits(bits)


def _levels(distribution: DecayDistribution, bits: int) -> torch.Tensor:
    """Return the values of λ in the chip's table, (2^b,) float64."""
    return torch.from_numpy(decay_table(distribution, bits)) / DECAY_UNITY


class StepInIntegers(Protocol):
    """A neuron's step in the chip's integers, which replaces the reference's in a twin.

    Attributes:
        decay: the layer's decays, as in the Program.
    """

    decay: Decay

    def __call__(
        self,
        current: torch.Tensor,
        membrane: torch.Tensor,
        step: int,
        threshold: torch.Tensor,
        spike: Callable[[torch.Tensor], torch.Tensor],
        learned: LearnedDecays | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return spikes and membranes, (batch, …), in the model's units."""


class RandomTauLeaky(snn.Leaky):
    """``snn.Leaky`` with a random decay λ = 1 − 1/τ = sigmoid(σ·ε), ε ~ N(0, 1).

    It replaces ``snn.Leaky`` in any snnTorch network, with ``init_hidden`` or with membranes passed
    by the caller, on inputs of any shape ``(batch, …)``. A neuron that spikes resets in the same
    step, so the returned membrane is the one after the reset.

    Args:
        sigma: σ ≥ 0, the spread of the logit; 1 in the paper.
        threshold: θ, a number or a tensor that broadcasts over the neurons.
        sampling: when λ is drawn for every neuron of every sample: at each ``"step"``, once
            per ``"forward"`` pass, ``"fixed"`` (once, when the first input shows the layer's
            shape, the same for all samples) or never (``"mean"``: λ = E[λ]).
        input_gain: ``"coupled"`` scales the input by 1 − λ, as in the paper; ``"mean"`` scales it
            by 1 − E[λ], which a chip's stock neuron can do.
        bits: b, from 1 to 8, to draw from the 2^b equally likely 12-bit levels of the chip's table;
            ``None`` draws from the continuous distribution.
        distribution: distribution of λ, from ``stochi.hardware.distributions`` (``LogitNormal``,
            ``Uniform``, ``NormalTau``, ``Empirical``); it replaces the logit-normal one with
            ``sigma``.
        generator: a ``torch.Generator`` for the draws, on the device of the inputs; ``None``
            uses torch's default one.
        learn_distribution: whether the parameters of the distribution (σ; low and high; mean and
            spread of τ) are learned. They become the parameter ``distribution_parameters``, in
            their own units. Draws are smooth functions of them and of noise that does not depend on
            them; the levels of a table pass gradients through their rounding. If an optimizer
            leaves the valid range, the next use moves the parameters to its edge (projected
            gradient descent). The parameters therefore start exactly at their given values, and an
            edge such as σ = 0 can be reached and left again. Not possible for ``Empirical`` or
            ``sampling="fixed"``.
        spike_grad, init_hidden, output, reset_mechanism, learn_threshold: as in ``snn.Leaky``;
            the default reset is to zero.

    A new forward pass begins when ``reset_mem()`` (or ``init_leaky()``, or
    ``snntorch.utils.reset(net)``) is called, when the input's shape changes, or when a membrane
    of zeros is passed that is not the one that this neuron returned last.

    Raises:
        InputError: an argument is out of range.
    """

    def __init__(
        self,
        *,
        sigma: float = 1.0,
        threshold: float | torch.Tensor = 0.5,
        sampling: str = "step",
        input_gain: str = "coupled",
        bits: int | None = None,
        distribution: DecayDistribution | None = None,
        generator: torch.Generator | None = None,
        learn_distribution: bool = False,
        spike_grad: Callable[[torch.Tensor], torch.Tensor] | None = None,
        init_hidden: bool = False,
        output: bool = False,
        reset_mechanism: str = "zero",
        learn_threshold: bool = False,
    ) -> None:
        check_neuron_options(sigma, sampling, input_gain, bits)
        distribution = LogitNormal(float(sigma)) if distribution is None else distribution
        if not bool((torch.as_tensor(threshold) >= 0).all()):
            raise InputError(f"threshold is {threshold}; it must be a number of at least 0")
        super().__init__(
            beta=distribution.mean,
            threshold=threshold,
            spike_grad=spike_grad,
            init_hidden=init_hidden,
            output=output,
            reset_mechanism=reset_mechanism,
            learn_threshold=learn_threshold,
            reset_delay=False,
        )
        self._distribution = distribution
        self.learn_distribution = learn_distribution
        self.distribution_parameters: torch.nn.Parameter | None = None
        if learn_distribution:
            check_learnable(distribution, sampling)
            self.distribution_parameters = torch.nn.Parameter(torch.tensor(distribution.parameters))
        self.sampling = sampling
        self.input_gain = input_gain
        self.bits = bits
        self.generator = generator
        levels = torch.zeros(0)
        if bits is not None and not learn_distribution:
            levels = _levels(distribution, bits).to(torch.get_default_dtype())
        self.levels: torch.Tensor
        self.register_buffer("levels", levels, persistent=False)
        self.fixed_decay: torch.Tensor
        self.register_buffer("fixed_decay", torch.zeros(0))
        self.twin: StepInIntegers | None = None
        self._forward_decay: torch.Tensor | None = None
        self._table: tuple[Reparameterized, np.ndarray] | None = None
        self._step_index = 0
        self._returned: torch.Tensor | None = None

    @property
    def distribution(self) -> DecayDistribution:
        """Distribution of λ, with the current parameters."""
        if self.learn_distribution:
            self.learned_distribution()
        return self._distribution

    @distribution.setter
    def distribution(self, distribution: DecayDistribution) -> None:
        """Set another distribution; raise InputError if its parameters are learned."""
        if self.learn_distribution:
            raise InputError("this neuron learns its distribution; set its distribution_parameters")
        self._distribution = distribution
        self.beta.fill_(distribution.mean)
        if self.bits is not None:
            self.levels = _levels(distribution, self.bits).to(self.levels)

    def learned_distribution(self) -> tuple[Reparameterized, torch.nn.Parameter]:
        """Return the learned distribution and its parameters (k,), moved into their range."""
        distribution, parameters = self._distribution, self.distribution_parameters
        assert isinstance(distribution, Reparameterized) and parameters is not None
        with torch.no_grad():
            inside = distribution.project(parameters)
            if not torch.equal(inside, parameters):
                parameters.copy_(inside)
        values = tuple(parameters.tolist())
        if values != distribution.parameters:
            self._distribution = distribution = type(distribution)(*values)
            self.beta.fill_(distribution.mean)  # for other code; this neuron does not read it
        return distribution, parameters

    def extra_repr(self) -> str:
        """Return the options that a printed network shows."""
        options = f"sampling={self.sampling!r}, input_gain={self.input_gain!r}"
        bits = "" if self.bits is None else f", bits={self.bits}"
        return f"{self._distribution}, {options}{bits}"

    def reset_mem(self) -> torch.Tensor:
        """Forget the membrane; the next input begins a new forward pass."""
        self._begin_pass()
        return super().reset_mem()

    def forward(self, input_: torch.Tensor, mem: torch.Tensor | None = None):  # type: ignore[no-untyped-def]
        """Compute one step of a ``(batch, …)`` current, with the results of ``snn.Leaky``.

        Returns:
            Spikes, or ``(spikes, membrane)``.
        """
        if mem is not None:
            if self.init_hidden:
                raise TypeError("with init_hidden=True the neuron keeps its membrane; pass none")
            self.mem = mem
        if self.mem.shape != input_.shape:
            self.mem = torch.zeros_like(input_)
        # snntorch.utils.reset(net) swaps the membrane without calling reset_mem().
        if self.mem is not self._returned and not bool(self.mem.any()):
            self._begin_pass()
        if self.twin is not None:
            learned = self._learned_decays(self.twin.decay) if self.learn_distribution else None
            spikes, self.mem = self.twin(
                input_, self.mem, self._step_index, self.threshold, self.spike_grad, learned
            )
        else:
            spikes, self.mem = self._reference_step(input_)
        self._step_index += 1
        self._returned = self.mem
        if self.init_hidden and not self.output:
            return spikes
        return spikes, self.mem

    def _reference_step(self, current: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        decay = self.draw_decay(current)
        gain = 1 - decay if self.input_gain == "coupled" else 1 - self._mean_decay()
        spikes, updated, reset = random_tau_step(
            self.mem, current, decay, gain, self.threshold, self.spike_grad
        )
        if self.reset_mechanism == "zero":
            return spikes, updated * (1 - reset)
        if self.reset_mechanism == "subtract":
            return spikes, updated - reset * self.threshold
        return spikes, updated

    def draw_decay(self, current: torch.Tensor) -> torch.Tensor | float:
        """Return λ for this step, with the input's shape (batch, …), type and device, or E[λ]."""
        if self.sampling == "mean":
            return self._mean_decay()
        if self.sampling == "step":
            return self._draw(current)
        if self.sampling == "forward":
            if self._forward_decay is None:
                self._forward_decay = self._draw(current)
            return self._forward_decay
        if self.fixed_decay.numel() == 0:
            self.fixed_decay = self._draw(current[:1])[0]
        if self.fixed_decay.shape != current.shape[1:]:
            raise InputError(
                f"this neuron's fixed decays were drawn for shape {tuple(self.fixed_decay.shape)},"
                f" the input has {tuple(current.shape[1:])}; use one neuron per layer"
            )
        return self.fixed_decay

    def _draw(self, like: torch.Tensor) -> torch.Tensor:
        if self.bits is not None:
            index = torch.randint(
                2**self.bits, like.shape, generator=self.generator, device=like.device
            )
            levels = self.levels
            if self.learn_distribution:
                distribution, parameters = self.learned_distribution()
                table = self._table_of(distribution, self.bits)
                levels = learned_levels(distribution, parameters, table)
            return levels.to(like.device)[index].to(like.dtype)
        if self.learn_distribution:
            distribution, parameters = self.learned_distribution()
            return distribution.decays(distribution.draw_noise(like, self.generator), *parameters)
        return self._distribution.draw(like, self.generator)

    def _table_of(self, distribution: Reparameterized, bits: int) -> np.ndarray:
        """Return the distribution's 12-bit decays, computed again only if it has changed."""
        if self._table is None or self._table[0] != distribution:
            self._table = (distribution, decay_table(distribution, bits))
        return self._table[1]

    def _mean_decay(self) -> torch.Tensor | float:
        """Return E[λ]."""
        if self.learn_distribution:
            distribution, parameters = self.learned_distribution()
            return distribution.mean_decay(*parameters)
        return self._distribution.mean

    def _learned_decays(self, decay: Decay) -> LearnedDecays:
        """Return the chip's decays as functions of the distribution's parameters."""
        distribution, parameters = self.learned_distribution()
        return LearnedDecays(
            learned_levels(distribution, parameters, decay.values, decay.drawn),
            None if decay.programmable else distribution.mean_decay(*parameters.double()),
        )

    def _begin_pass(self) -> None:
        self._forward_decay = None
        self._step_index = 0
        self._returned = None

    def _load_from_state_dict(self, state_dict, prefix, *args, **kwargs):  # type: ignore[no-untyped-def]
        """Take the shape of the fixed decays, which are drawn late, from the checkpoint."""
        stored = state_dict.get(prefix + "fixed_decay")
        if stored is not None:
            self.fixed_decay = torch.empty_like(stored, device=self.fixed_decay.device)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
