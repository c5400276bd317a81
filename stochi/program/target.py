"""Target of a lowering: the chip, and how a network runs on it."""

from dataclasses import dataclass

from stochi.hardware.fixed_point import GRADED_INPUT_MAX

NOISE_TARGETS = ("membrane", "current")
"""The states that the stock generator can add noise to, each a kind of noise of its own."""
NOISES = ("decay", *NOISE_TARGETS, "none")
IMAGE_LEVELS = GRADED_INPUT_MAX


@dataclass(frozen=True)
class Target:
    """The chip, and how a network runs on it.

    Attributes:
        chip: "loihi1" or "loihi2".
        noise: what takes the place of drawing τ, of ``NOISES``.
        time_steps: of a sample; an integrator's headroom is made for it.
        input_levels: integers per unit of the input: 255 for images in [0, 1] as 8-bit graded
            spikes, 1 for events.
        dt: length of a time step in seconds.
        random_source: source of the random bits, "philox" or "lfsr"; see
            :mod:`stochi.hardware.noise`.
    """

    chip: str
    noise: str
    time_steps: int
    input_levels: int
    dt: float
    random_source: str = "philox"

    @property
    def events(self) -> bool:
        """Whether the input is binary events, not images."""
        return self.input_levels == 1
