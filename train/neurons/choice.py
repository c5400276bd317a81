"""The neurons that the networks to train are built of, by name."""

from dataclasses import dataclass

import snntorch as snn

from stochi.arguments import check_fields
from stochi.errors import InputError
from stochi.train.neurons.random_tau_leaky import RandomTauLeaky, check_neuron_options

NEURONS = ("random", "plain", "cuba")
DECAY = 0.5
"""Decay per time step of neurons that do not draw it: the mean of the random ones."""
THRESHOLD = 1.0
"""Threshold of neurons whose input has no gain: that of random ones, 0.5, over their mean gain."""


@dataclass(frozen=True)
class NeuronChoice:
    """A kind of neuron, and the options of random ones.

    Attributes:
        kind: "random" (:class:`RandomTauLeaky`); "plain" (``snn.Leaky``, which computes what a
            random one does with its mean decay and ``input_gain="mean"``, in other units); or
            "cuba" (``snn.Synaptic``: a plain one whose input decays as well).
        sigma, sampling, input_gain, bits: as in :class:`RandomTauLeaky`; of no effect on others.

    Raises:
        InputError: the kind is unknown, or an option is out of range.
    """

    kind: str = "random"
    sigma: float = 1.0
    sampling: str = "step"
    input_gain: str = "coupled"
    bits: int | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        if self.kind not in NEURONS:
            raise InputError(f"neuron is {self.kind!r}; choose from {', '.join(NEURONS)}")
        check_neuron_options(self.sigma, self.sampling, self.input_gain, self.bits)

    @property
    def title(self) -> str:
        """Name in a sentence."""
        if self.kind == "random":
            return f"random-τ ({self.sampling})"
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
