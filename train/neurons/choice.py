"""The neurons that the networks to train are built of, by name."""

from dataclasses import dataclass

import snntorch as snn

from stochi.arguments import check_fields
from stochi.errors import InputError
from stochi.train.neurons.gated_leaky import GatedLeaky, check_open_share
from stochi.train.neurons.noisy_leaky import NoisyLeaky, make_noise
from stochi.train.neurons.random_tau_leaky import RandomTauLeaky, check_neuron_options

NEURONS = ("random", "plain", "cuba", "noisy", "gated")
DECAY = 0.5
"""Decay per time step of neurons that do not draw it: the mean of the random ones."""
THRESHOLD = 1.0
"""Threshold of neurons whose input has no gain: that of random ones, 0.5, over their mean gain."""

NOISE_STD = 0.2
"""Standard deviation of noisy neurons' noise, a fifth of their threshold."""
OPEN_SHARE = 0.9
"""Probability with which gated neurons' gates are open."""


@dataclass(frozen=True)
class NeuronChoice:
    """A kind of neuron, and the options of those that draw something.

    Attributes:
        kind: "random" (:class:`RandomTauLeaky`); "plain" (``snn.Leaky``, which computes what a
            random one does with its mean decay and ``input_gain="mean"``, in other units); "cuba"
            (``snn.Synaptic``: a plain one whose input decays as well); "noisy"
            (:class:`NoisyLeaky`: a plain one with noise on its membrane); or "gated"
            (:class:`GatedLeaky`: a plain one whose spikes pass random gates).
        sigma, sampling, input_gain, bits: as in :class:`RandomTauLeaky`; of no effect on others.
        noise_std: as in :class:`NoisyLeaky`; of no effect on others.
        open_share: as in :class:`GatedLeaky`; of no effect on others.

    Raises:
        InputError: the kind is unknown, or an option is out of range.
    """

    kind: str = "random"
    sigma: float = 1.0
    sampling: str = "step"
    input_gain: str = "coupled"
    bits: int | None = None
    noise_std: float = NOISE_STD
    open_share: float = OPEN_SHARE

    def __post_init__(self) -> None:
        check_fields(self)
        if self.kind not in NEURONS:
            raise InputError(f"neuron is {self.kind!r}; choose from {', '.join(NEURONS)}")
        make_noise(self.noise_std)
        check_open_share(self.open_share)
        check_neuron_options(self.sigma, self.sampling, self.input_gain, self.bits)

    @property
    def title(self) -> str:
        """Name in a sentence."""
        if self.kind == "random":
            return f"random-τ ({self.sampling})"
        if self.kind == "noisy":
            return f"noisy LIF (deviation {self.noise_std:g})"
        if self.kind == "gated":
            return f"gated LIF (open with {self.open_share:g})"
        return {"plain": "plain LIF", "cuba": "CUBA"}[self.kind]

    def build(self) -> snn.SpikingNeuron:
        """Build a neuron that keeps its membrane and is reset to 0 by its spike, at once."""
        if self.kind == "random":
            return RandomTauLeaky(
                sigma=self.sigma,
                sampling=self.sampling,
                input_gain=self.input_gain,
                bits=self.bits,
                init_hidden=True,
            )
        if self.kind == "noisy":
            return NoisyLeaky(
                DECAY, noise_std=self.noise_std, threshold=THRESHOLD, init_hidden=True
            )
        if self.kind == "gated":
            return GatedLeaky(
                DECAY, open_share=self.open_share, threshold=THRESHOLD, init_hidden=True
            )
        if self.kind == "plain":
            return snn.Leaky(
                beta=DECAY,
                threshold=THRESHOLD,
                reset_mechanism="zero",
                reset_delay=False,
                init_hidden=True,
            )
        return snn.Synaptic(
            alpha=DECAY,
            beta=DECAY,
            threshold=THRESHOLD,
            reset_mechanism="zero",
            reset_delay=False,
            init_hidden=True,
        )
