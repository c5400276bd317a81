"""Figure of one neuron under a constant current, with drawn decays and with additive noise.

    .venv/bin/python -m benchmarks.spike_curves docs/spike_curves.png

Every neuron is a random-τ LIF or its stand-in in the chip's integers, with currents from 0 to four
thresholds. The noise's amplitude and the threshold's factor are those that "stochi deploy --noise
membrane" finds for the first layer of the demo's network; give others with --amplitude, --factor.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.gates import draw_gates
from benchmarks.refractory_noise import Waits, draw_waits
from stochi.commands.console import Output
from stochi.deploy.lowering.stand_in import StandIn, make_stand_in
from stochi.hardware.decays import decay_table, draw_decays
from stochi.hardware.distributions import LogitNormal
from stochi.hardware.draws import Draws
from stochi.hardware.fixed_point import DECAY_UNITY
from stochi.hardware.neuron import NeuronKind, NeuronParameters, NeuronState, fire, integrate
from stochi.hardware.noise import draw_generator, generator_mean

STEPS, SAMPLES = 8, 4000
SCALE = 2.0**13
THRESHOLD = 0.5
CURRENTS = np.arange(0, 2.001, 0.02)


@dataclass(frozen=True)
class Curve:
    """A neuron's spikes, by current.

    Attributes:
        rate: spikes per time step.
        fano: variance over trials of a window's spikes over their mean; NaN without spikes.
    """

    rate: np.ndarray
    fano: np.ndarray


@dataclass(frozen=True)
class Neurons:
    """A kind of neuron.

    Attributes:
        drawn: whether λ is drawn at every time step; otherwise it is its mean, ½.
        stand_in: additive noise, or None.
        factor: factor of the threshold.
        gate: how many of 256 spikes pass; None for all.
        waits: noise on the refractory delay, or None.
    """

    drawn: bool = False
    stand_in: StandIn | None = None
    factor: float = 1.0
    gate: int | None = None
    waits: Waits | None = None

    @classmethod
    def with_noise(cls, amplitude: float, factor: float) -> "Neurons":
        """Return neurons with additive noise on the membrane, as a calibration fits it."""
        return cls(stand_in=make_stand_in("membrane", amplitude, SCALE, factor), factor=factor)


def run_neurons(kind: Neurons) -> Curve:
    """Run one kind of neuron on all currents."""
    generator = None if kind.stand_in is None else kind.stand_in.generator
    scale = SCALE if kind.stand_in is None else kind.stand_in.scale
    threshold = round(THRESHOLD * scale * kind.factor)
    samples, neurons = np.arange(SAMPLES), np.arange(len(CURRENTS))
    draws = Draws()
    table = decay_table(LogitNormal(), 8)
    # A stock neuron's gain, ½, is in its weights.
    synaptic = np.rint(CURRENTS * (1.0 if kind.drawn else 0.5) * scale).astype(np.int64)[None, :]
    state = NeuronState(np.zeros((SAMPLES, len(CURRENTS)), np.int64), 0, 0)
    counts = np.zeros_like(state.membrane)
    does = NeuronKind(kind.drawn)
    for step in range(STEPS):
        now = draws.at(0, step)
        keep: int | np.ndarray = DECAY_UNITY // 2
        noise: int | np.ndarray = 0
        if kind.drawn:
            keep = draw_decays(table, samples, neurons, now, redraw=True)
        if generator is not None:
            mantissa, exponent = generator.mantissa, generator.exponent
            noise = draw_generator(samples, neurons, now, mantissa, exponent)
            noise = noise - round(generator_mean(mantissa, exponent))
        parameters = NeuronParameters(keep, 0, noise, threshold)
        state = integrate(state, synaptic, parameters, does)._replace(current=0)
        if kind.waits is None:
            spikes, state = fire(state, threshold, does)
            state = state._replace(waiting=0)
        else:
            waits = draw_waits(samples, neurons, now, kind.waits)
            spikes, state = fire(state, threshold, does._replace(refractory=waits))
        if kind.gate is not None:
            spikes = spikes & draw_gates(samples, neurons, draws.at(1, step), kind.gate)
        counts += spikes
    with np.errstate(invalid="ignore", divide="ignore"):
        fano = np.where(counts.mean(0) > 0.01, counts.var(0, ddof=1) / counts.mean(0), np.nan)
    return Curve(counts.mean(0) / STEPS, fano)


def draw_curves(curves: dict[str, Curve], path: Path) -> None:
    """Draw rates and Fano factors against the current, a line for each kind of neuron."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for kind, curve in curves.items():
        left.plot(CURRENTS / THRESHOLD, curve.rate, label=kind)
        right.plot(CURRENTS / THRESHOLD, curve.fano, label=kind)
    left.set(xlabel="current / threshold", ylabel="spikes a step")
    right.set(xlabel="current / threshold", ylabel="Fano factor of 8 steps' spikes")
    left.legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    """Print some points and write the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figure", type=Path)
    parser.add_argument("--amplitude", type=float, default=0.2916)
    parser.add_argument("--factor", type=float, default=1.1399)
    options = parser.parse_args()
    curves = {
        "drawn τ": run_neurons(Neurons(drawn=True)),
        "noise": run_neurons(Neurons.with_noise(options.amplitude, options.factor)),
        "mean τ": run_neurons(Neurons()),
    }
    rows = [
        ["current / threshold", *(f"{k}: rate" for k in curves), "drawn τ: Fano", "noise: Fano"]
    ]
    for current in (0.4, 0.5, 0.52, 0.6, 0.8, 1.0, 1.5, 2.0):
        place = int(np.argmin(np.abs(CURRENTS - current)))
        rates = [f"{curve.rate[place]:.3f}" for curve in curves.values()]
        fanos = [f"{curves[kind].fano[place]:.3f}" for kind in ("drawn τ", "noise")]
        rows.append([f"{current / THRESHOLD:.2f}", *rates, *fanos])
    output = Output(as_json=False)
    output.table(rows, f"A neuron under a constant current, {SAMPLES} samples of {STEPS} steps")
    draw_curves(curves, options.figure)
    output.line(f"Wrote {options.figure}")


if __name__ == "__main__":
    main()
