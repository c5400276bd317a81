"""Run of a Program on Lava with numpy alone; what Lava's own processes know runs on those."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stochi.errors import LoweringError
from stochi.hardware.draws import Draws
from stochi.program.layers import Layer
from stochi.program.program import Program
from stochi.sim.lava.network import LayerNetwork
from stochi.sim.lava.stock import StockLava
from stochi.sim.lava.stock_rules import check_synapses, what_the_neuron_lacks
from stochi.sim.mapped import create_mapped
from stochi.temporary import temporary_folder


@dataclass(frozen=True)
class Form:
    """The Lava processes that a Program runs on.

    Attributes:
        whole_layers: None if Lava's own Dense and Conv carry all connections; else why each layer
            is one process of Stochi, connections included.
        neurons: layer's name → why its neurons are a process of Stochi; the neurons of other
            layers are Lava's ``LIFReset``.
    """

    whole_layers: str | None
    neurons: dict[str, str]


@dataclass(frozen=True)
class Recorded:
    """What a Program did.

    Attributes:
        spikes: layer's name → (time steps, samples, *shape) bool.
        membrane: of the output, (time steps, samples, *shape) integers.
    """

    spikes: dict[str, np.ndarray]
    membrane: np.ndarray


def choose_form(program: Program, samples: int) -> Form:
    """Choose Lava's own processes as far as they know the Program."""
    neurons = {layer.name: what_the_neuron_lacks(layer) for layer in program.layers}
    return Form(_why_whole_layers(program, samples), {n: why for n, why in neurons.items() if why})


def run_on_lava(program: Program, frames: np.ndarray, draws: Draws) -> Recorded:
    """Run all samples on Lava's runtime.

    Args:
        frames: (1 or time steps, samples, *shape) integers that the input sends.
        draws: draws of the run, from the Program's random source.

    Raises:
        LavaUnavailable: Lava is not installed.
        LavaRunError: Lava's runtime failed.
        LoweringError: a layer has more sources than a process has ports.
    """
    if choose_form(program, frames.shape[1]).whole_layers is None:
        with StockLava(program, frames, draws) as stock:
            return Recorded(*stock.record())
    with temporary_folder() as folder:
        return _run_layers(program, frames, draws, folder)


def _why_whole_layers(program: Program, samples: int) -> str | None:
    try:
        check_synapses(program)
    except LoweringError as error:
        return str(error).partition("; use ")[0]
    for layer in program.layers:
        own = any(projection.source == layer.name for projection in layer.projections)
        if own and samples > 1:
            return (
                f"layer {layer.name!r}: stock synapses would carry its last spikes of a sample"
                " over to the next one"
            )
    return None


def _run_layers(program: Program, frames: np.ndarray, draws: Draws, folder: Path) -> Recorded:
    files: dict[str, dict[str, str]] = {"spikes": {}, "membrane": {}}

    def recorded_into(probe: str, layer: Layer, dtype: type) -> np.ndarray:
        path = folder / f"{probe}-{program.index(layer.name)}.npy"
        files[probe][layer.name] = str(path)
        shape = (program.target.time_steps, frames.shape[1], *layer.shape)
        return create_mapped(path, dtype, shape)

    spikes = {
        layer.name: recorded_into("spikes", layer, np.bool_)
        for layer in program.layers
        if layer.spikes
    }
    membrane = recorded_into("membrane", program.layer(program.output), np.int32)
    with LayerNetwork(program, frames.shape[1]) as network:
        network.run_frames(frames, draws, files, lambda done, total: None)
    return Recorded({name: np.array(s) for name, s in spikes.items()}, np.array(membrane))
