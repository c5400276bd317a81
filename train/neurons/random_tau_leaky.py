"""A leaky integrate-and-fire neuron that draws its time constant at random."""

from collections.abc import Callable

import snntorch as snn
import torch

from stochi.arguments import check_arguments
from stochi.errors import InputError
from stochi.export.model.neuron import Dynamics, State, step
from stochi.export.model.random_decay import RandomDecay
from stochi.hardware.decays import check_bits
from stochi.hardware.distributions import DecayDistribution, LogitNormal
from stochi.hardware.neuron import RESETS, NeuronKind

SAMPLING_MODES = ("step", "forward", "fixed", "mean")
INPUT_GAINS = ("coupled", "mean")


def check_neuron_options(sigma: float, sampling: str, input_gain: str, bits: int | None) -> None:
    """Raise InputError if an option of :class:`RandomTauLeaky` is out of range."""
    LogitNormal(sigma)
    if sampling not in SAMPLING_MODES:
        raise InputError(f"sampling is {sampling!r}; choose from {', '.join(SAMPLING_MODES)}")
    if input_gain not in INPUT_GAINS:
        raise InputError(f"input_gain is {input_gain!r}; choose from {', '.join(INPUT_GAINS)}")
    if bits is not None:
        check_bits(bits)


class RandomTauLeaky(RandomDecay, snn.Leaky):
    """``snn.Leaky`` with a random decay λ = 1 − 1/τ = sigmoid(σ·ε), ε ~ N(0, 1).

    It replaces ``snn.Leaky`` in any snnTorch network, with ``init_hidden`` or with membranes passed
    by the caller, on inputs of any shape ``(batch, …)``. A neuron that spikes resets in the same
    step, so the returned membrane is the one after the reset.

    Args:
        sigma: σ, the spread of the logit, from 0 to 1,000,000; 1 in the paper.
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

    beta: torch.Tensor
    mem: torch.Tensor
    threshold: torch.Tensor
    spike_grad: Callable[[torch.Tensor], torch.Tensor]

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
        check_arguments(RandomTauLeaky.__init__, locals())
        check_neuron_options(sigma, sampling, input_gain, bits)
        distribution = LogitNormal(float(sigma)) if distribution is None else distribution
        if not bool((torch.as_tensor(threshold) >= 0).all()):
            raise InputError(f"threshold is {threshold}; it must be a number of at least 0")
        if reset_mechanism not in RESETS:
            raise InputError(
                f"reset_mechanism is {reset_mechanism!r}; choose from {', '.join(RESETS)}"
            )
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
        self.begin_drawing(
            distribution,
            sampling=sampling,
            input_gain=input_gain,
            bits=bits,
            generator=generator,
            learn=learn_distribution,
        )
        self._returned: torch.Tensor | None = None

    def take_mean(self, mean: float) -> None:
        """Note E[λ] in snnTorch's ``beta``, for other code; this neuron does not read it."""
        self.beta.fill_(mean)

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
        spikes, self.mem = self._reference_step(input_)
        self._returned = self.mem
        if self.init_hidden and not self.output:
            return spikes
        return spikes, self.mem

    def _reference_step(self, current: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        decay = self.draw_decay(current)
        gain = 1 - decay if self.input_gain == "coupled" else 1 - self.mean_decay()
        kind = NeuronKind(False, RESETS.index(self.reset_mechanism))
        dynamics = Dynamics(decay, gain, self.threshold, None)
        spikes, state = step(State(self.mem), current, dynamics, kind, self.spike_grad)
        return spikes, state.membrane

    def _begin_pass(self) -> None:
        self.forget_draws()
        self._returned = None

    def _load_from_state_dict(self, state_dict, prefix, *args, **kwargs):  # type: ignore[no-untyped-def]
        """Take the shape of the fixed decays, which are drawn late, from the checkpoint."""
        stored = state_dict.get(prefix + "fixed_decay")
        if stored is not None:
            self.fixed_decay = torch.empty_like(stored, device=self.fixed_decay.device)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
