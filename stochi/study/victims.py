"""The networks that a study trains and attacks, and the places where each can run."""

from dataclasses import dataclass

NEURONS = {
    "LIF": "mean",
    "RandHet-SNN": "step",
    "RandHet-SNN**": "forward",
}
"""The paper's name of a network → when its neurons draw λ."""
DEFENCES = ("none", "fgsm", "fgsm-sharp", "pgd", "pgd-sharp", "rat", "sr", "hire")
"""The defences in training; the sharp ones attack through the attacker's sharp surrogate."""
UNTRAINED = "untrained"
"""The defence of a network that is not trained."""
BASELINES = {"weight-noise": 0.25, "spike-pruning": 0.2, "input-noise": 0.1, "resize-pad": 0.25}
"""Randomization of a plain LIF network → its strength; see ``stochi.train.randomization``."""
FLOAT = "float"
"""The place of the float model."""
MEAN = "mean"
"""The place of the float model's weights with λ at its mean: what its noise is worth."""
STAND_INS = ("decay", "membrane", "none")
"""The chip's noise in place of drawing τ; see docs/noise.md."""
PLACES = (FLOAT, MEAN, *STAND_INS)
"""All places."""


@dataclass(frozen=True)
class Victim:
    """A network to train and attack.

    Attributes:
        neuron: a key of ``NEURONS``.
        defence: the defence in training, one of ``DEFENCES``, or "untrained".
        randomization: a key of ``BASELINES``, or "" for none.
        sigma: spread of λ's logit.
        seed: seed of the training.
    """

    neuron: str = "LIF"
    defence: str = "none"
    randomization: str = ""
    sigma: float = 1.0
    seed: int = 0

    @property
    def random_tau(self) -> bool:
        """Whether its neurons draw λ."""
        return self.neuron != "LIF"

    @property
    def places(self) -> tuple[str, ...]:
        """The places where it can run: in floats, drawing λ or not, and on the chip.

        No chip draws what the baselines draw. A plain LIF has no random τ to stand in for, so it
        has one chip, without noise.
        """
        if self.randomization:
            return (FLOAT,)
        return PLACES if self.random_tau else (FLOAT, *self.stand_ins)

    @property
    def stand_ins(self) -> tuple[str, ...]:
        """The chips on which it can run: those that draw λ in some way, and that without noise."""
        return STAND_INS if self.random_tau else ("none",)

    def draws_in(self, place: str) -> bool:
        """Return whether it answers the same question differently in a place."""
        return bool(self.randomization) or (self.random_tau and place not in (MEAN, "none"))

    @property
    def faithful(self) -> str:
        """The stand-in on the chip that draws as the network does."""
        return "decay" if self.random_tau else "none"

    @property
    def title(self) -> str:
        """Name in tables and figures."""
        name = f"LIF, {self.randomization}" if self.randomization else self.neuron
        return name if self.sigma == 1.0 else f"{name}, σ = {self.sigma:g}"

    @property
    def full_title(self) -> str:
        """Name in lines of progress."""
        return f"{self.title}, {self.defence}, seed {self.seed}"
