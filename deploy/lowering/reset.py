"""The reset that a layer's neurons take on the chip."""

from typing import NamedTuple

import numpy as np

from stochi.deploy.graph.layers import RealLayer
from stochi.deploy.graph.neurons import RealNeuron
from stochi.errors import LoweringError
from stochi.hardware.chips import Chip
from stochi.hardware.decays import quantize_decay
from stochi.hardware.fixed_point import DECAY_UNITY


class Reset(NamedTuple):
    """A layer's reset; see :class:`stochi.program.layers.Layer`."""

    name: str = "zero"
    delay: bool = False
    current: bool = False


def choose_reset(layer: RealLayer, chip: Chip) -> Reset:
    """Choose the simplest reset that gives what is read of a layer.

    With and without delay, a reset to zero gives the same spikes, so a stock neuron does where the
    membranes are not read. A chip without microcode subtracts with two neurons for one, in the next
    time step: so do snnTorch's neurons, and neurons without leak spike equally either way. Any
    other reset takes a programmable neuron.

    Raises:
        LoweringError: the chip does not have such a neuron.
    """
    neuron = layer.neuron
    if neuron is None or neuron.threshold is None:
        return Reset()
    delay = neuron.reset_delay and neuron.reset != "none"
    if neuron.reset == "zero" and not neuron.membrane_is_read:
        delay = False
    reset = Reset(neuron.reset, delay, neuron.reset_current and neuron.current_decay is not None)
    if reset == Reset() or chip.programmable_neuron:
        return reset
    if reset.name == "subtract":
        problem = _problem_of_a_pair(neuron, reset)
        if problem is None:
            return reset._replace(delay=True)
        raise _has_none(layer, chip, reset, *problem)
    raise _has_none(layer, chip, reset, "", "")


def subtracts_by_synapse(layer: RealLayer, chip: Chip) -> bool:
    """Return whether a synapse subtracts a layer's thresholds, of two neurons for one."""
    neuron = layer.neuron
    spikes = neuron is not None and neuron.threshold is not None
    return spikes and chip.compartments(choose_reset(layer, chip).name) > 1


def _problem_of_a_pair(neuron: RealNeuron, reset: Reset) -> tuple[str, str] | None:
    """Return why two neurons for one cannot subtract, and a way out, or None."""
    if neuron.current_decay is not None:
        return (
            ", because without one a synapse subtracts, and synaptic memory would spread that over"
            " several time steps",
            "give the neurons no synaptic memory",
        )
    if neuron.refractory:
        return (
            ", because the two neurons that subtract without one have no refractory period",
            "leave the refractory period out",
        )
    late = "train with reset_delay=True (snnTorch's default)"
    if not reset.delay and np.any(quantize_decay(neuron.decay) != DECAY_UNITY):
        return (
            ", because without one a synapse subtracts, in the next time step, when the membrane"
            " has leaked",
            late,
        )
    if not reset.delay and neuron.membrane_is_read:
        return ", because without one the membrane is read before", f"{late}, or read the spikes"
    return None


def _has_none(layer: RealLayer, chip: Chip, reset: Reset, why: str, remedy: str) -> LoweringError:
    what, way_out = f"reset {reset.name!r}", "train with reset 'zero'"
    if reset.current:
        what, way_out = f"{what} of the membrane and the current", f"{way_out}, of membranes only"
    if reset.delay:
        what += " at the beginning of the next time step"
        if reset.name == "zero":
            what += ", with membranes that are read before it,"
            way_out = "read the spikes"
    return LoweringError(
        f"neuron {layer.name!r}: {what} takes a programmable neuron{why}; {chip.name} has none;"
        f" choose chip='loihi2', or {remedy or way_out}"
    )
