"""The reset that a layer's neurons take on the chip."""

from typing import NamedTuple

from stochi.deploy.graph.layers import RealLayer
from stochi.errors import LoweringError
from stochi.hardware.chips import Chip


class Reset(NamedTuple):
    """A layer's reset; see :class:`stochi.program.layers.Layer`."""

    name: str = "zero"
    delay: bool = False
    current: bool = False


def choose_reset(layer: RealLayer, chip: Chip) -> Reset:
    """Choose the simplest reset that gives what is read of a layer.

    With and without delay, a reset to zero gives the same spikes, so a stock neuron does where the
    membranes are not read. Any other reset takes a programmable neuron.

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
    what, way_out = f"reset {reset.name!r}", "train with reset 'zero'"
    if reset.current:
        what, way_out = f"{what} of the membrane and the current", f"{way_out}, of membranes only"
    if reset.delay:
        what += " at the beginning of the next time step"
        if reset.name == "zero":
            what += ", with membranes that are read before it,"
            way_out = "read the spikes"
    raise LoweringError(
        f"neuron {layer.name!r}: {what} takes a programmable neuron; {chip.name} has none; choose"
        f" chip='loihi2', or {way_out}"
    )
