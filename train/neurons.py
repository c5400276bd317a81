"""A leaky integrate-and-fire neuron that draws its time constant at random."""

from collections.abc import Callable

import numpy as np
import snntorch as snn
import torch

from stochi.deploy.program import Decay
from stochi.errors import InputError
from stochi.hardware.decays import check_bits, decay_table
from stochi.hardware.distributions import (
    DecayDistribution,
    LogitNormal,
    Reparameterized,
)
from stochi.hardware.fixed_point import DECAY_UNITY
from stochi.train.hardware_neuron import HardwareStep, LearnedDecays
from stochi.train.learned_distribution import check_learnable, learned_levels

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
    """One step of the reference dynamics, ``u := λ·u + g·I``, spike where ``u > θ``.

    RandHet-SNN (Wang et al., iScience 2025) has ``g = 1 − λ``. ``spike`` is a surrogate of
    snnTorch: 1 where its argument ``u − θ`` is positive, with a gradient of its own.

    Returns:
        spikes, the membrane before any reset, and the reset signal (the spikes, detached).
    """
    updated = decay * membrane + gain * current
    # snnTorch's surrogates give float32, whatever they take.
    spikes = spike(updated - threshold).to(updated.dtype)
    return spikes, updated, spikes.detach()


def check_neuron_options(sigma: float, sampling: str, input_gain: str, bits: int | None) -> None:
    """Raise InputError where an option of :class:`RandomTauLeaky` is out of range."""
    LogitNormal(sigma)
    if sampling not in SAMPLING_MODES:
        raise InputError(f"sampling is {sampling!r}; choose from {', '.join(SAMPLING_MODES)}")
    if input_gain not in INPUT_GAINS:
        raise InputError(f"input_gain is {input_gain!r}; choose from {', '.join(INPUT_GAINS)}")
    if bits is not None:
        check_bits(bits)


def _levels(law: DecayDistribution, bits: int) -> torch.Tensor:
    """(2^b,) float64, what λ can be when it comes from the chip's table."""
    return torch.from_numpy(decay_table(law, bits)) / DECAY_UNITY


class RandomTauLeaky(snn.Leaky):
    """``snn.Leaky`` with a random decay λ = sigmoid(σ·ε), ε ~ N(0, 1), so that λ = 1 − 1/τ.

    It takes the place of ``snn.Leaky`` in any snnTorch network, with ``init_hidden`` or with
    the membrane passed by hand, on inputs of any shape ``(batch, …)``. A spiking neuron resets
    at once, so the returned membrane is the one after the reset.

    Args:
        sigma: σ ≥ 0, the spread of the logit; 1 in the paper.
        threshold: θ, a number or a tensor that broadcasts over the neurons.
        sampling: when λ is drawn, for every neuron of every sample: at each ``"step"``, once
            per ``"forward"`` pass, ``"fixed"`` (once, when the first input shows the layer's
            shape, the same for all samples) or not at all (``"mean"``: λ = E[λ]).
        input_gain: ``"coupled"`` scales the input by 1 − λ, as the paper does; ``"mean"`` by
            1 − E[λ], which a chip's stock neuron can do.
        bits: draw from the 2^b equally likely 12-bit levels that the chip's table holds,
            1 to 8; ``None`` draws from the continuous distribution.
        distribution: λ's law, of ``stochi.hardware.distributions`` (``LogitNormal``, ``Uniform``,
            ``NormalTau``, ``Empirical``); in place of the logit-normal one with ``sigma``.
        generator: a ``torch.Generator`` for the draws, on the device of the inputs; ``None``
            uses torch's default one.
        learn_distribution: the law's parameters (σ; low, high; mean and spread of τ) are
            learned: they become the parameter ``distribution_parameters``, in their own units.
            Draws are smooth functions of them and of noise that does not depend on them; a table's
            levels pass gradients through their rounding. Where an optimizer leaves the range in
            which there is such a law, the next use puts the parameters back on its edge (projected
            gradient descent), so they start exactly where they are set, and σ = 0, say, can be
            reached and left again. Not for ``Empirical`` nor ``sampling="fixed"``.
        spike_grad, init_hidden, output, reset_mechanism, learn_threshold: as in ``snn.Leaky``;
            the default reset is to zero.

    A new forward pass begins when ``reset_mem()`` (or ``init_leaky()``, or
    ``snntorch.utils.reset(net)``) is called, when the input's shape changes, or when a membrane
    of all zeros is passed that is not the one this neuron returned last.

    Raises:
        InputError: an argument is out of range.
    """

    def __init__(
        self,
        sigma: float = 1.0,
        threshold: float | torch.Tensor = 0.5,
        *,
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
        self._law = distribution
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
        self.hardware: HardwareStep | None = None
        self._forward_decay: torch.Tensor | None = None
        self._table: tuple[Reparameterized, np.ndarray] | None = None
        self._step_index = 0
        self._returned: torch.Tensor | None = None

    @property
    def distribution(self) -> DecayDistribution:
        """λ's law, with its parameters as they are now."""
        if self.learn_distribution:
            self.learned_distribution()
        return self._law

    @distribution.setter
    def distribution(self, law: DecayDistribution) -> None:
        """Another law; InputError where its parameters are learned."""
        if self.learn_distribution:
            raise InputError("this neuron learns its law; set its distribution_parameters")
        self._law = law
        self.beta.fill_(law.mean)
        if self.bits is not None:
            self.levels = _levels(law, self.bits).to(self.levels)

    def learned_distribution(self) -> tuple[Reparameterized, torch.nn.Parameter]:
        """The law that is learned, and its parameters (k,), which are put into their range."""
        law, parameters = self._law, self.distribution_parameters
        assert isinstance(law, Reparameterized) and parameters is not None
        with torch.no_grad():
            inside = law.project(parameters)
            if not torch.equal(inside, parameters):
                parameters.copy_(inside)
        values = tuple(parameters.tolist())
        if values != law.parameters:
            self._law = law = type(law)(*values)
            self.beta.fill_(law.mean)  # for whoever reads it; the neuron itself does not
        return law, parameters

    def reset_mem(self) -> torch.Tensor:
        """Forget the membrane; the next input begins a new forward pass."""
        self._begin_pass()
        return super().reset_mem()

    def forward(self, input_: torch.Tensor, mem: torch.Tensor | None = None):  # type: ignore[no-untyped-def]
        """One step: ``(batch, …)`` current → spikes, or ``(spikes, membrane)``, as snn.Leaky."""
        if mem is not None:
            if self.init_hidden:
                raise TypeError("with init_hidden=True the neuron keeps its membrane; pass none")
            self.mem = mem
        if self.mem.shape != input_.shape:
            self.mem = torch.zeros_like(input_)
        # snntorch.utils.reset(net) swaps the membrane without calling reset_mem().
        if self.mem is not self._returned and not bool(self.mem.any()):
            self._begin_pass()
        if self.hardware is not None:
            learned = self._learned_decays(self.hardware.decay) if self.learn_distribution else None
            spikes, self.mem = self.hardware(
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
        """λ for this step, of the input's shape (batch, …), dtype and device, or the mean."""
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
                f" the input has {tuple(current.shape[1:])}; use one neuron a layer"
            )
        return self.fixed_decay

    def _draw(self, like: torch.Tensor) -> torch.Tensor:
        if self.bits is not None:
            index = torch.randint(
                2**self.bits, like.shape, generator=self.generator, device=like.device
            )
            levels = self.levels
            if self.learn_distribution:
                law, parameters = self.learned_distribution()
                levels = learned_levels(law, parameters, self._table_of(law, self.bits))
            return levels.to(like.device)[index].to(like.dtype)
        if self.learn_distribution:
            law, parameters = self.learned_distribution()
            return law.decays(law.draw_noise(like, self.generator), *parameters)
        return self._law.draw(like, self.generator)

    def _table_of(self, law: Reparameterized, bits: int) -> np.ndarray:
        """Its decays of 12 bits, which change only when what is learned does."""
        if self._table is None or self._table[0] != law:
            self._table = (law, decay_table(law, bits))
        return self._table[1]

    def _mean_decay(self) -> torch.Tensor | float:
        """E[λ]."""
        if self.learn_distribution:
            law, parameters = self.learned_distribution()
            return law.mean_decay(*parameters)
        return self._law.mean

    def _learned_decays(self, decay: Decay) -> LearnedDecays:
        """What the chip's decays are, as functions of the law's parameters."""
        law, parameters = self.learned_distribution()
        return LearnedDecays(
            learned_levels(law, parameters, decay.values, decay.drawn),
            None if decay.programmable else law.mean_decay(*parameters.double()),
        )

    def _begin_pass(self) -> None:
        self._forward_decay = None
        self._step_index = 0
        self._returned = None

    def _load_from_state_dict(self, state_dict, prefix, *args, **kwargs):  # type: ignore[no-untyped-def]
        """Fixed decays are drawn late, so their shape comes with the checkpoint."""
        stored = state_dict.get(prefix + "fixed_decay")
        if stored is not None:
            self.fixed_decay = torch.empty_like(stored, device=self.fixed_decay.device)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
