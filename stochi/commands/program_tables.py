"""What a Program holds, as rows of text and as plain values.

Commands import this module inside of functions: it brings torch along.
"""

from dataclasses import asdict
from typing import Any

from stochi.deploy.graph.neurons import RealNeuron
from stochi.hardware.chips import Chip, find_chip
from stochi.hardware.fixed_point import DECAY_UNITY
from stochi.plain_text import decimal
from stochi.program import Decay, Layer, Program

Rows = list[list[str]]
NOTHING = "–"


def output_words(program: Program) -> str:
    """Return what is read of a Program's output, and how over time."""
    if program.over_time == "last":
        return f"the {program.readout} of {program.output} at the last time step"
    return f"the mean {program.readout} of {program.output}"


def layer_rows(program: Program) -> Rows:
    """Return a row for every layer, after the head."""
    head = ["layer", "neurons", "kind", "reset", "from"]
    rows = [[*head, "weight exponent", "bias", "threshold", "scale"]]
    chip = find_chip(program.target.chip)
    for layer in program.layers:
        threshold = layer.threshold_mantissa
        rows.append(
            [
                layer.name,
                "×".join(map(str, layer.shape)),
                _kind(layer, chip),
                reset_words(layer, layer.spikes),
                ", ".join(projection.source for projection in layer.projections),
                ", ".join(str(projection.weight_exponent) for projection in layer.projections),
                _bias(layer),
                NOTHING if threshold is None else f"{threshold.min()} … {threshold.max()}",
                decimal(layer.scale, 1),
            ]
        )
    return rows


def named_cells(rows: Rows) -> list[dict[str, str]]:
    """Return each row after the head as a dictionary with the head's names."""
    head, *body = rows
    return [dict(zip(head, row, strict=True)) for row in body]


def neurons_on_chip(program: Program, chip: str | None = None) -> dict[str, int]:
    """Return the number of a chip's own neurons that each layer takes, by default its target's."""
    found = find_chip(program.target.chip if chip is None else chip)
    return {layer.name: layer.compartments(found) for layer in program.layers}


def doubled_lines(program: Program, chip: str | None = None) -> list[str]:
    """Return a line for every layer that takes more of a chip's neurons than it has."""
    return [
        f"{name}: {program.layer(name).neurons:,} neurons, {taken:,} on the chip: reset by"
        " subtraction takes two"
        for name, taken in neurons_on_chip(program, chip).items()
        if taken > program.layer(name).neurons
    ]


def find_noise(program: Program) -> dict[str, dict[str, Any]]:
    """Return plain values of a Program's noise, by layer, for those layers that have some.

    "decays" has the number of "levels" of a layer's decays, their "mean" λ, and whether they are
    drawn at every time step ("redraw") or once per sample; it is None if they are not drawn.
    "generator" is the setting of the stock generator, or None. "threshold_factor" is 1 unless a
    fit changed it.
    """
    found: dict[str, dict[str, Any]] = {}
    for layer in program.layers:
        generator = layer.generator
        if layer.decay.drawn or generator is not None or layer.threshold_factor != 1:
            found[layer.name] = {
                "decays": _drawn(layer.decay) if layer.decay.drawn else None,
                "generator": None if generator is None else asdict(generator),
                "threshold_factor": layer.threshold_factor,
            }
    return found


def noise_rows(noise: dict[str, dict[str, Any]]) -> Rows:
    """Return a row for every layer of :func:`find_noise`, after the head."""
    rows = [["layer", "drawn", "levels of λ", "mean λ", "generator exponent", "threshold ×"]]
    for name, entry in noise.items():
        decays, generator = entry["decays"], entry["generator"]
        drawn = []
        if decays is not None:
            drawn.append("λ, " + ("every time step" if decays["redraw"] else "once per sample"))
        if generator is not None:
            drawn.append(f"{generator['target']} noise, every time step")
        rows.append(
            [
                name,
                " + ".join(drawn) or "nothing",
                NOTHING if decays is None else str(decays["levels"]),
                NOTHING if decays is None else decimal(decays["mean"], 4),
                NOTHING if generator is None else str(generator["exponent"]),
                decimal(entry["threshold_factor"], 4),
            ]
        )
    return rows


def reset_words(neurons: Layer | RealNeuron, spikes: bool) -> str:
    """Return how neurons reset, in words."""
    if not spikes:
        return NOTHING
    found = neurons.reset + (" + current" if neurons.reset_current else "")
    if neurons.reset_delay:
        found += ", a step later"
    return found + (f", refractory {neurons.refractory}" if neurons.refractory else "")


def _drawn(decay: Decay) -> dict[str, Any]:
    mean = float(decay.values.mean()) / DECAY_UNITY
    return {"levels": len(decay.values), "mean": mean, "redraw": decay.redraw}


def _kind(layer: Layer, chip: Chip) -> str:
    decay = layer.decay
    if not layer.spikes:
        return "integrator" if int(decay.values.min()) == DECAY_UNITY else "leaky integrator"
    kind = "random τ" if decay.drawn else "LIF"
    if layer.generator is not None:
        kind += f" + {layer.generator.target} noise"
    if layer.current_keep is not None:
        kind += ", current-based"
    if layer.compartments(chip) > layer.neurons:
        return kind + ", two stock for one"
    programmable = decay.programmable or layer.resets_in_microcode
    return kind + (", programmable" if programmable else ", stock")


def _bias(layer: Layer) -> str:
    """Return the range of the mantissas, as ``low … high << exponent``."""
    mantissas = layer.bias_mantissa
    if not mantissas.any():
        return NOTHING
    found = f"{mantissas.min()} … {mantissas.max()} << {layer.bias_exponent}"
    return found + (", per neuron" if mantissas.ndim > 1 else "")
