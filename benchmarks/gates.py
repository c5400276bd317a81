"""Random spike gates: a neuron's spikes pass with a probability, as a Program and as its twin.

A layer becomes three. Its neurons keep their integers, and send their spikes to neurons that also
listen to a generator each, and fire if both spike (AND). A generator is a neuron without inputs
whose membrane is the stock generator's noise alone; its threshold is the probability. So the noise
multiplies the spikes, as a drawn λ multiplies, while additive noise cannot.

The generator's settings are those of Fugu's probabilistic neurons (Sandia, BSD-3,
``fugu/backends/loihi_backend.py``): mantissa 2 and exponent 13, which brings the noise into steps
of the threshold, a voltage decay of 4096, and a core of its own. Fugu sees the values 1 to 256 on
the chip, where :mod:`stochi.hardware.noise` assumes 0 to 255; if Fugu is right, every probability
here is higher by 1/256.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from benchmarks.changed_twin import ChangedLayer, ChangedTwin
from stochi.errors import InputError
from stochi.export.model.neuron import State
from stochi.export.model.running import RunningLayer
from stochi.hardware.draws import LayerDraws
from stochi.hardware.fixed_point import ALIGN_SHIFT, Integers
from stochi.hardware.noise import draw_generator
from stochi.program.layers import CONSTANT, Decay, Generator, Layer, OneToOne, Projection
from stochi.program.program import Program
from stochi.train.twin.layer import RunningTwinLayer
from stochi.train.twin.model import Twin

CODES = 256
"""Number of the generator's values, all equally likely."""
GENERATOR = Generator("membrane", mantissa=2, exponent=13)
_WEIGHT, _BOTH = 64, 96
"""Weight of a spike in the AND neuron; its threshold, between one spike and two."""


def source_of(name: str) -> str:
    """Return the name of the neurons whose spikes a gated layer passes on."""
    return f"{name}.before"


def generator_of(name: str) -> str:
    """Return the name of the generators of a gated layer."""
    return f"{name}.gate"


def gate_threshold(codes: int) -> int:
    """Return the threshold's mantissa with which a generator spikes with ``codes``/256.

    Args:
        codes: from 1 to 255.
    """
    if not 1 <= codes < CODES:
        raise InputError(f"a gate opens with {codes}/{CODES}; choose from 1 to {CODES - 1}")
    return CODES - 1 - codes


def draw_gates(samples: Integers, neurons: Integers, draws: LayerDraws, codes: int) -> Integers:
    """Draw which gates are open, (samples, neurons) bool, as the generators' neurons do.

    Args:
        samples, neurons, draws: as for :func:`stochi.hardware.noise.random_bytes`; numpy or torch.
        codes: as for :func:`gate_threshold`.
    """
    noise = draw_generator(samples, neurons, draws, GENERATOR.mantissa, GENERATOR.exponent)
    return noise > gate_threshold(codes) << ALIGN_SHIFT


def insert_gates(program: Program, gates: Mapping[str, int]) -> Program:
    """Return a Program in which the spikes of some layers pass random gates.

    The AND neurons have the layer's name, so that all that reads the layer now reads them.

    Args:
        program: the Program, which does not change.
        gates: layer's name → how many of 256 spikes pass, from 1 to 255.

    Raises:
        InputError: there is no such layer, it does not spike, its membranes are read, or the number
            is out of range.
    """
    names = [layer.name for layer in program.layers]
    for name in gates:
        if name not in names:
            raise InputError(f"there is no layer {name!r} to gate; layers: {', '.join(names)}")
        if not program.layer(name).spikes:
            raise InputError(f"layer {name!r} never spikes, so it needs no gates; leave it out")
        if name == program.output and program.readout != "spikes":
            raise InputError(f"layer {name!r} is read by its membranes, which no gate changes")
    layers = [
        part
        for layer in program.layers
        for part in (_gated(layer, gates[layer.name]) if layer.name in gates else (layer,))
    ]
    return replace(program, layers=tuple(layers))


def _gated(layer: Layer, codes: int) -> tuple[Layer, ...]:
    """Return the neurons, their generators, and the AND of both."""
    source, generator = source_of(layer.name), generator_of(layer.name)
    silent = Projection(CONSTANT, (OneToOne(np.zeros((), np.int16)),), 0)
    spikes = [
        Projection(name, (OneToOne(np.asarray(_WEIGHT, np.int16)),), 0)
        for name in (source, generator)
    ]
    return (
        replace(layer, name=source),
        _without_memory(generator, layer.shape, (silent,), gate_threshold(codes), GENERATOR),
        _without_memory(layer.name, layer.shape, tuple(spikes), _BOTH),
    )


def _without_memory(
    name: str,
    shape: tuple[int, ...],
    projections: tuple[Projection, ...],
    threshold: int,
    generator: Generator | None = None,
) -> Layer:
    return Layer(
        name=name,
        shape=shape,
        projections=projections,
        bias_mantissa=np.zeros(1, np.int16),
        bias_exponent=0,
        decay=Decay(np.zeros((), np.int16), drawn=False, redraw=False, programmable=False),
        threshold_mantissa=np.asarray(threshold, np.int32),
        scale=1.0,
        generator=generator,
    )


def gated_twin(twin: Twin, program: Program, gates: Mapping[str, int]) -> Twin:
    """Return the twin of a Program with gates: its spikes, with gradients through open gates.

    Args:
        twin: twin of the Program without gates; parameters and draws are shared.
        program: the Program with gates, which numbers their draws.
        gates: as for :func:`insert_gates`.
    """

    def change(name: str, layer: RunningTwinLayer) -> RunningLayer:
        if name not in gates:
            return layer
        return _GatedLayer(layer, program.index(generator_of(name)), gates[name])

    return ChangedTwin(twin, change)


class _GatedLayer(ChangedLayer):
    def __init__(self, layer: RunningTwinLayer, index: int, codes: int) -> None:
        super().__init__(layer)
        self.index, self.codes = index, codes

    def advance(self, current: torch.Tensor, state: State, step: int) -> tuple[torch.Tensor, State]:
        spikes, state = self.inner.advance(current, state, step)
        draws = self.inner.layer.step.now.draws
        samples, neurons = draws.samples(len(spikes)), torch.arange(spikes[0].numel())
        opened = draw_gates(samples, neurons, draws.at(self.index, step), self.codes)
        return spikes * opened.view(spikes.shape), state
