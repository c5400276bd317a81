"""A victim's weights in a network that draws otherwise than the one that was trained."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Variant:
    """What differs from the victim's own network; None: nothing.

    Attributes:
        random_layers: number of layers of neurons, from the input on, that draw λ; those after them
            have its mean.
        sigma: spread of λ's logit.
        time_steps: number of time steps.
        width: width of a deep network; only untrained ones can have another.
    """

    random_layers: int | None = None
    sigma: float | None = None
    time_steps: int | None = None
    width: int | None = None

    def to_json(self) -> dict[str, float]:
        """Return what differs, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}

    @property
    def title(self) -> str:
        """Name in tables: what differs; "" if nothing does."""
        words = {
            "random_layers": "random layers",
            "sigma": "σ",
            "time_steps": "T",
            "width": "width",
        }
        return ", ".join(f"{words[name]}: {value:g}" for name, value in self.to_json().items())


OWN = Variant()
"""The victim's own network."""


def varied(
    layers: tuple[int, ...],
    sigmas: tuple[float, ...],
    time_steps: tuple[int, ...],
    widths: tuple[int, ...],
) -> list[Variant]:
    """Return the victim's own network, and variants that differ from it in one thing each."""
    return [
        OWN,
        *(replace(OWN, random_layers=count) for count in layers),
        *(replace(OWN, sigma=sigma) for sigma in sigmas),
        *(replace(OWN, time_steps=count) for count in time_steps),
        *(replace(OWN, width=width) for width in widths),
    ]
