"""The float model with some of the chip's properties, each of which can be switched on alone.

The switches, each of which works alone (``"input"`` is :func:`shown_inputs`):

- ``"weights"``: weights, biases and thresholds from the Program, over its scale; an input gain that
  it folded into them is taken out again, and so is a calibration's threshold factor.
- ``"decays"``: if the Program draws decays, they come from its table, by its random source; a λ
  that the model draws and the Program does not is rounded to 12 bits; others are the Program's.
- ``"states"``: membranes in the chip's unit, of 24 bits; both products of a step are truncated
  toward zero, the sum saturates, and a sum of a projection is rounded down if the chip shifts it
  right. With real weights these sums are not whole numbers; they are left so elsewhere.
- ``"noise"``: if the model draws λ and the Program does not, λ is its mean, and the stock
  generator, if the Program has one, adds its noise there; thresholds have the calibration's factor.
  If the model's own neurons add noise, it is the generator's, or none if the Program has none.

All numbers are the Program's own. What is not switched on stays as in the float model: the same
torch draws, the same real numbers, but in float64. With everything switched on, the spikes are the
Program's.
"""

from collections.abc import Collection

import torch

from stochi.deploy.graph.layers import cut_into_layers
from stochi.deploy.origin import check_same_layers
from stochi.export.model.model import GraphModel
from stochi.export.model.running import RunningLayer
from stochi.export.model.writing import written_graph
from stochi.hardware.draws import Draws
from stochi.parity.ablation.layer import AblatedLayer
from stochi.program.program import Program
from stochi.train.twin.neuron import DrawsNow

SWITCHES = ("input", "weights", "decays", "states", "noise")


class AblatedModel(GraphModel):
    """A graph's network in real numbers, with some of its Program's properties.

    Draws of the Program's kind go by ``stochi.train.set_draws``, all others come from torch's
    generator in the order in which the float model draws.

    Args:
        model: the float model; its layers have the Program's names.
        program: the Program.
        switches: of ``SWITCHES``.

    Raises:
        ExportError, LoweringError: as for ``stochi.train.make_twin``.
        InputError: the model's layers are not the Program's.
    """

    def __init__(self, model: GraphModel, program: Program, switches: Collection[str]) -> None:
        super().__init__(model.graph, model.wiring, model.nodes, model.reading)
        network = cut_into_layers(written_graph(model), model.reading.dt)
        check_same_layers(program, network)
        self.now = DrawsNow(Draws(source=program.target.random_source))
        chosen = frozenset(switches)
        self.layers = {
            real.name: AblatedLayer(index, wired, real, model, program, chosen, self.now)
            for index, (wired, real) in enumerate(
                zip(self.wiring.layers, network.layers, strict=True)
            )
        }

    def begin(self) -> dict[str, RunningLayer]:
        """See :meth:`GraphModel.begin`."""
        return dict(self.layers)

    def in_own_type(self, inputs: torch.Tensor) -> torch.Tensor:
        """See :meth:`GraphModel.in_own_type`; everything runs in float64."""
        return inputs.double()


def shown_inputs(program: Program, inputs: torch.Tensor, switches: Collection[str]) -> torch.Tensor:
    """Round inputs to the Program's 8 bits, in float64, if ``"input"`` is switched on."""
    if "input" not in switches:
        return inputs
    return torch.round(inputs.double() * program.target.input_levels) / program.target.input_levels


def switches_of(model: GraphModel, program: Program) -> tuple[str, ...]:
    """The switches that a Program has.

    Events are not rounded, and there is only noise if something stands in for drawn decays, or if
    neurons add noise themselves.
    """
    drawn = {
        name
        for name, neuron in model.neurons().items()
        if neuron.random and neuron.sampling in ("step", "forward")
    }
    missing = set()
    if program.target.events:
        missing.add("input")
    noisy = any(neuron.noise is not None for neuron in model.neurons().values())
    if not noisy and all(layer.decay.drawn for layer in program.layers if layer.name in drawn):
        missing.add("noise")
    return tuple(switch for switch in SWITCHES if switch not in missing)
