"""Results of a mapping."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from stochi.deploy.mapping.blocks import Block
from stochi.deploy.mapping.use import Use
from stochi.hardware.cores import CoreLimits

LIMITED = {
    "neurons": "neurons",
    "delay_slots": "delays",
    "words": "memory",
    "words_of_axon": "list of an axon",
    "input_axons": "axons in",
    "output_entries": "axons out",
    "off_chip": "axons off chip",
    "formats": "formats",
    "configurations": "configurations",
    "thresholds": "thresholds",
    "noise_settings": "noise settings",
}
"""What a core has a number of, and what people call it."""
SHOWN = ("neurons", "words", "input_axons", "output_entries", "off_chip")


@dataclass(frozen=True)
class CorePart:
    """Neurons of a layer on a core.

    Attributes:
        layer: name of the layer.
        block: which of its neurons.
        use: what they use.
    """

    layer: str
    block: Block
    use: Use


@dataclass(frozen=True)
class Core:
    """A core in use.

    Attributes:
        chip, number: number of the chip, and of the core on it, from 0.
        parts: the neurons on it.
        use: what they use together.
    """

    chip: int
    number: int
    parts: tuple[CorePart, ...]
    use: Use

    def utilization(self, limits: CoreLimits) -> dict[str, float]:
        """Return used shares of what a core has, for all known limits."""
        return {what: used / limit for what, (used, limit) in _numbers(self.use, limits).items()}

    def limited_by(self, limits: CoreLimits) -> str:
        """Return what the core has least left of."""
        shares = self.utilization(limits)
        shares.pop("noise_settings", None)  # one is all that there is
        return max(shares, key=lambda what: shares[what])

    def fullness(self, limits: CoreLimits) -> float:
        """Return the used share of what the core has least left of."""
        return self.utilization(limits)[self.limited_by(limits)]


@dataclass(frozen=True)
class Mapping:
    """A Program on cores and chips.

    Attributes:
        limits: limits of the chip's cores.
        layers: names of the layers, in the Program's order.
        cores: cores in use, chip by chip.
        problems: why it does not fit, each with the smallest change that does; () if it fits.
            Layers that do not fit are on no core.
    """

    limits: CoreLimits
    layers: tuple[str, ...]
    cores: tuple[Core, ...]
    problems: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Whether all of the Program is on cores, within all known limits."""
        return not self.problems

    @property
    def chips(self) -> int:
        """Number of chips."""
        return 1 + max((core.chip for core in self.cores), default=-1)

    @property
    def unknown(self) -> tuple[str, ...]:
        """What of the chip's cores has limits of which nothing public was found."""
        return tuple(name for what, name in LIMITED.items() if getattr(self.limits, what) is None)

    def cores_of(self, layer: str) -> list[Core]:
        """Return the cores that hold neurons of a layer."""
        return [core for core in self.cores if any(part.layer == layer for part in core.parts)]

    def use_of(self, layer: str) -> Use:
        """Return what a layer uses on all cores together."""
        found = Use()
        for core in self.cores:
            for part in core.parts:
                if part.layer == layer:
                    found += part.use
        return found

    def to_json(self) -> dict[str, Any]:
        """Return plain values of everything."""
        return {
            "chip": self.limits.chip,
            "fits": self.fits,
            "problems": list(self.problems),
            "chips": self.chips,
            "unknown": list(self.unknown),
            "limits": asdict(self.limits),
            "cores": [
                {
                    "chip": core.chip,
                    "core": core.number,
                    "use": plain_use(core.use),
                    "utilization": core.utilization(self.limits),
                    "limited_by": core.limited_by(self.limits),
                    "parts": [
                        {"layer": p.layer, **asdict(p.block), "use": plain_use(p.use)}
                        for p in core.parts
                    ],
                }
                for core in self.cores
            ],
        }


def plain_use(use: Use) -> dict[str, int]:
    """Return a use as numbers."""
    return {
        what: len(value) if isinstance(value, frozenset) else value
        for what, value in vars(use).items()
    }


def _numbers(use: Use, limits: CoreLimits) -> dict[str, tuple[int, int]]:
    """Return what is used, and the limit, of everything whose limit is known."""
    plain = plain_use(use)
    plain["words_of_axon"] = use.longest_list
    plain["delay_slots"] = use.neurons << use.delay_bits if use.delay_bits else 0
    found = ((what, plain[what], getattr(limits, what)) for what in LIMITED)
    return {what: (used, limit) for what, used, limit in found if limit is not None}
