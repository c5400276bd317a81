"""Fits of random gates and of refractory noise to drawn decays, layer after layer, on data.

As in ``stochi.deploy.calibration``: for each setting that is tried, the thresholds are set so that
the layer spikes as often as with drawn decays, and the best setting is the one whose spikes give
the following layers an input nearest to the reference's.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Generic, Protocol, TypeVar

import torch

from benchmarks.gates import CODES, insert_gates, source_of
from benchmarks.refractory_noise import Waits, run_waiting
from stochi.deploy.calibration import (
    FIT_SEED,
    REFERENCE_SEED,
    compare_behind,
    divergence,
    factor_that_matches,
    scale_with_room,
)
from stochi.deploy.graph.layers import RealNetwork
from stochi.deploy.lowering.network import lower_network, lower_network_like
from stochi.deploy.lowering.stand_in import StandIn
from stochi.deploy.spike_counts import TRIALS, observe
from stochi.hardware.draws import Draws
from stochi.program.program import Program
from stochi.program.target import Target
from stochi.sim import run
from stochi.sim.record import Record
from stochi.sim.recording import PROBES

Setting = TypeVar("Setting")
NO_WAITS = Waits(exponent=0, mantissa=-3)
SOME_WAITS = (NO_WAITS, *(Waits(*w) for w in ((1, -1), (0, 0), (2, -1), (0, 1), (1, 0), (3, -1))))
"""Every setting with a mean of less than one time step."""


class OnChip(Protocol):
    """A network on the chip, in place of one with drawn decays and with its layers' names."""

    @property
    def program(self) -> Program:
        """The Program without what is random."""

    def run(self, inputs: torch.Tensor, seed: int, trial: int) -> Record:
        """Run a batch with all probes."""

    def count(self, name: str, data: torch.Tensor, seed: int) -> torch.Tensor:
        """Count a layer's spikes, as :func:`stochi.deploy.spike_counts.observe`."""


@dataclass(frozen=True)
class Plain:
    """A Program as it is."""

    program: Program

    def run(self, inputs: torch.Tensor, seed: int, trial: int) -> Record:
        """See :class:`OnChip`."""
        return run(self.program, inputs, seed=seed, trial=trial, probes=PROBES)

    def count(self, name: str, data: torch.Tensor, seed: int) -> torch.Tensor:
        """See :class:`OnChip`."""
        return observe(self.program, name, data, seed)


@dataclass(frozen=True)
class Gated:
    """A Program whose layers' spikes pass random gates.

    Attributes:
        settings: layer's name → how many of 256 spikes pass; with 256 there are no gates.
        gated: the Program with the gates.
    """

    program: Program
    settings: dict[str, int]
    gated: Program = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "gated", insert_gates(self.program, self.gates))

    @property
    def gates(self) -> dict[str, int]:
        """Settings of the layers that have gates."""
        return {name: codes for name, codes in self.settings.items() if codes < CODES}

    def run(self, inputs: torch.Tensor, seed: int, trial: int) -> Record:
        """See :class:`OnChip`; membranes are those of the neurons before the gates."""
        record = Plain(self.gated).run(inputs, seed, trial)
        names = [layer.name for layer in self.program.layers]
        membranes = {n: record.membrane[source_of(n) if n in self.gates else n] for n in names}
        spikes = {name: record.spikes[name] for name in names if name in record.spikes}
        return Record(record.logits, spikes, membranes)

    def count(self, name: str, data: torch.Tensor, seed: int) -> torch.Tensor:
        """See :class:`OnChip`."""
        return observe(self.gated, name, data, seed)


@dataclass(frozen=True)
class Waiting:
    """A Program whose neurons wait at random after a spike.

    Attributes:
        settings: layer's name → noise on the refractory delay.
    """

    program: Program
    settings: dict[str, Waits]

    def run(self, inputs: torch.Tensor, seed: int, trial: int) -> Record:
        """See :class:`OnChip`."""
        return run_waiting(self.program, self.settings, inputs, Draws(seed, trial))

    def count(self, name: str, data: torch.Tensor, seed: int) -> torch.Tensor:
        """See :class:`OnChip`."""
        trials = (self.run(data, seed, trial).spikes[name] for trial in range(TRIALS))
        return torch.stack([spikes.sum(0).int() for spikes in trials])


@dataclass
class Fitting(Generic[Setting]):
    """The fit of a network.

    Attributes:
        network: layers in real numbers.
        reference, plain: Programs with drawn decays, and without noise.
        data: inputs as for ``stochi.sim.run``.
        make: Program with fitted thresholds, and settings → the network on the chip.
        stand_ins, settings: what was found, by the layer's name.
    """

    network: RealNetwork
    reference: Program
    plain: Program
    data: torch.Tensor
    make: Callable[[Program, dict[str, Setting]], OnChip]
    stand_ins: dict[str, StandIn] = field(default_factory=dict)
    settings: dict[str, Setting] = field(default_factory=dict)

    def fit(
        self, name: str, rounds: Iterable[Callable[[Setting | None], Iterable[Setting]]]
    ) -> None:
        """Find a layer's setting and thresholds, after those of the layers before it.

        Args:
            rounds: each gives the settings to try, from the best one of the round before.
        """
        counts = observe(self.reference, name, self.data, REFERENCE_SEED)
        target = float(counts.double().mean())
        scale = scale_with_room(self.plain.layer(name))

        def seen(setting: Setting, log_factor: float) -> torch.Tensor:
            stand_in = StandIn(None, scale, math.exp(log_factor))
            return self._with(name, setting, stand_in).count(name, self.data, FIT_SEED)

        def excess(setting: Setting, log_factor: float) -> float:
            return float(seen(setting, log_factor).double().mean()) - target

        best: tuple[float, Setting, float] | None = None
        for settings in rounds:
            for setting in settings(None if best is None else best[1]):
                factor = factor_that_matches(partial(excess, setting))
                compared = compare_behind(
                    self.reference, name, counts, seen(setting, math.log(factor))
                )
                error = divergence(*compared)
                if best is None or error < best[0]:
                    best = error, setting, factor
        assert best is not None
        self.settings[name] = best[1]
        self.stand_ins[name] = StandIn(None, scale, best[2])

    def _with(self, name: str, setting: Setting, stand_in: StandIn) -> OnChip:
        stand_ins = {**self.stand_ins, name: stand_in}
        program = lower_network_like(self.plain, self.network, "none", stand_ins)
        return self.make(program, {**self.settings, name: setting})

    def finish(self) -> OnChip:
        """Return the network with everything that was found."""
        program = lower_network_like(self.plain, self.network, "none", self.stand_ins)
        return self.make(program, self.settings)


def gates_around(best: int | None) -> range:
    """Return the numbers of passing spikes that are tried, all over and then around the best."""
    if best is None:
        return range(128, CODES + 1, 16)
    return range(max(1, best - 8), min(CODES, best + 8) + 1, 4)


def waits_to_try(best: Waits | None) -> tuple[Waits, ...]:
    """Return the settings of refractory noise that are tried."""
    return SOME_WAITS


def fit_gates(network: RealNetwork, target: Target, data: torch.Tensor) -> Gated:
    """Fit random gates to every layer with drawn decays."""
    found = _fit(network, target, data, Gated, (gates_around, gates_around))
    assert isinstance(found, Gated)
    return found


def fit_waits(network: RealNetwork, target: Target, data: torch.Tensor) -> Waiting:
    """Fit refractory noise to every layer with drawn decays."""
    found = _fit(network, target, data, Waiting, (waits_to_try,))
    assert isinstance(found, Waiting)
    return found


def _fit(
    network: RealNetwork,
    target: Target,
    data: torch.Tensor,
    make: Callable[[Program, dict[str, Setting]], OnChip],
    rounds: Iterable[Callable[[Setting | None], Iterable[Setting]]],
) -> OnChip:
    reference = lower_network(network, replace(target, noise="decay"))
    plain = lower_network(network, replace(target, noise="none"))
    fitting = Fitting(network, reference, plain, data, make)
    for layer in network.layers:
        if layer.neuron is not None and layer.neuron.random is not None:
            fitting.fit(layer.name, rounds)
    return fitting.finish()
