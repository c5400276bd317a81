"""A NIR graph as a torch module in real numbers, differentiable, with τ drawn anew in each run."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import nir
import torch
from torch import nn

from stochi.deploy.graph.readout import ANSWERS
from stochi.deploy.graph.wiring import Wiring
from stochi.errors import InputError
from stochi.export.model.neuron import GraphNeuron, State
from stochi.export.model.reading import Reading
from stochi.export.model.running import (
    Group,
    Output,
    RealRunningLayer,
    RunningLayer,
    group_paths,
)
from stochi.hardware.delays import delayed
from stochi.program.layers import INPUT

Sent = dict[str, dict[int, torch.Tensor]]
"""Source → time step → the values that it sent, (batch, *shape)."""
Kept = dict[tuple[str, int], torch.Tensor]
"""Layer and number of a group → what the group gives at every time step."""


class GraphModel(nn.Module):
    """A NIR graph that runs in real numbers; :func:`stochi.export.from_nir` makes it.

    Its modules and parameters have the names of the graph's nodes: ``fc1.weight`` is the weight of
    the node ``fc1``. Weights and biases learn; thresholds and decays learn where the graph's
    metadata ``"learns"`` names them. Every run begins at rest. Neurons draw their τ from torch's
    generator, layer by layer and step by step.

    Args:
        graph: the graph, with the numbers that it had when the module was made.
        wiring: layers and paths of the graph.
        modules: module of each linear node and each neuron node.
        reading: how the input is shown and the output is read.
    """

    def __init__(
        self,
        graph: nir.NIRGraph,
        wiring: Wiring,
        modules: dict[str, nn.Module],
        reading: Reading,
    ) -> None:
        super().__init__()
        self.graph = graph
        self.wiring, self.reading = wiring, reading
        self.shapes = {INPUT: wiring.input_shape}
        self.shapes |= {layer.name: layer.shape for layer in wiring.layers}
        self.longest_delay = max(int(p.delay.max()) for la in wiring.layers for p in la.paths)
        self.nodes = modules  # a plain dictionary, so that nodes may have any name
        for name, module in modules.items():
            _register(self, name, module)

    def neurons(self) -> dict[str, GraphNeuron]:
        """Return the neurons of every layer that has some, by the layer's name."""
        found = {}
        for layer in self.wiring.layers:
            neuron = self.nodes[layer.node] if layer.node else None
            if isinstance(neuron, GraphNeuron):
                found[layer.name] = neuron
        return found

    def answering(self) -> "GraphModel":
        """Return the module reading its output over time as a Program does.

        That is the output of the last time step if the module reads that, else the mean over all.
        Parameters are shared. Classes with the largest sum, or mean over all steps, stay the same.
        """
        readout = ANSWERS[self.reading.readout]
        return self.with_reading(replace(self.reading, readout=readout))

    def with_reading(self, reading: Reading) -> "GraphModel":
        """Return the module reading its output in another way; parameters are shared."""
        return GraphModel(self.graph, self.wiring, self.nodes, reading).train(self.training)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Run the network and read its output.

        Args:
            inputs: images (batch, *shape), each shown at every time step, or events
                (time steps, batch, *shape).

        Returns:
            (batch, *output shape), or (time steps, batch, *output shape) for the readout "steps".

        Raises:
            InputError: the inputs' shape does not fit the network.
        """
        return self.read([values[self.wiring.output] for values in self.run(inputs)])

    def read(self, outputs: Sequence[Output]) -> torch.Tensor:
        """Return the answer that the output layer's values of all time steps give."""
        return self.reading.read(outputs)

    def run(self, inputs: torch.Tensor) -> Iterator[dict[str, Output]]:
        """Yield every layer's output after each time step, by the layer's name.

        Args:
            inputs: as for :meth:`forward`.

        Raises:
            InputError: the inputs' shape does not fit the network.
        """
        frames = self._frames(inputs)
        if frames.dim() == len(self.shapes[INPUT]) + 1:
            return self.run_frames(lambda step: frames, self.reading.time_steps, changing=False)
        return self.run_frames(lambda step: frames[step], len(frames))

    def run_frames(
        self, frame: Callable[[int], torch.Tensor], time_steps: int, changing: bool = True
    ) -> Iterator[dict[str, Output]]:
        """Yield every layer's output after each time step, by the layer's name.

        Args:
            frame: returns what is shown in a time step, (batch, *shape), when that begins.
            time_steps: number of time steps.
            changing: whether the frames differ; if not, what follows from them is computed once.
        """
        layers = self.begin()
        states: dict[str, State] = {}
        sent: Sent = {name: {} for name in self.shapes}
        kept: Kept = {}
        for step in range(time_steps):
            shown = sent[INPUT][step] = frame(step)
            if not step:
                for name, layer in layers.items():
                    if layer.neuron is not None:
                        states[name] = layer.neuron.begin(shown)
            found = self.step_layers(layers, states, sent, step, {} if changing else kept)
            for values_of in sent.values():
                values_of.pop(step - self.longest_delay, None)
            yield found
        for layer in layers.values():
            if layer.neuron is not None:
                layer.neuron.forget_draws()  # which may hold an autograd graph

    def step_layers(
        self,
        layers: Mapping[str, RunningLayer],
        states: dict[str, State],
        sent: Sent,
        step: int,
        kept: Kept,
    ) -> dict[str, Output]:
        """Return every layer's output after one time step, by the layer's name.

        Args:
            layers: the layers of the run, from :meth:`begin`.
            states: states of their neurons before the step; after it, those after it.
            sent: what was sent so far, and the input of this step; what layers send is added.
            step: number of the time step.
            kept: what groups give that give the same at every time step; it is filled here.
        """
        found = {}
        for name, layer in layers.items():
            values = self._current(name, layer, sent, step, kept)
            membrane = None
            if layer.neuron is not None:
                values, states[name] = layer.advance(values, states[name], step)
                membrane = states[name].membrane
                values = membrane if layer.neuron.threshold is None else values
            found[name] = Output(values, membrane)
            sent[name][step] = values
        return found

    def begin(self) -> dict[str, RunningLayer]:
        """Return the layers of a run, by name, in the order in which a time step computes them."""
        neurons = self.neurons()
        return {
            layer.name: RealRunningLayer(
                group_paths(layer.paths), self.nodes, neurons.get(layer.name)
            )
            for layer in self.wiring.layers
        }

    def _frames(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the inputs in the type of the parameters, (batch, *shape) or with steps first."""
        shape = self.shapes[INPUT]
        given = tuple(inputs.shape)
        if given[-len(shape) :] != shape or len(given) - len(shape) not in (1, 2):
            raise InputError(
                f"inputs have shape {given}; this network takes images (batch, *{shape}) or events"
                f" (time steps, batch, *{shape})"
            )
        return self.in_own_type(inputs)

    def in_own_type(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the inputs in the type in which the network runs, that of its parameters."""
        some = next(self.parameters(), None)
        return inputs if some is None else inputs.to(some.dtype)

    def _current(
        self, name: str, layer: RunningLayer, sent: Sent, step: int, kept: Kept
    ) -> torch.Tensor:
        """Return a layer's input at a time step, (batch, *shape).

        Args:
            kept: what groups gave that give the same at every time step; it is filled here.
        """
        currents = []
        for number, group in enumerate(layer.groups):
            current = kept.get((name, number))
            if current is None:
                current = layer.through(number, self._arriving(group, sent, step))
                if group.follows_input:
                    kept[name, number] = current
            currents.append(current)
        return layer.join(currents)

    def _arriving(self, group: Group, sent: Sent, step: int) -> torch.Tensor:
        """Return the sum of what a group's sources sent."""
        now = sent[INPUT][step]
        values: torch.Tensor | None = None
        for source, delay in group.sources:
            resting = now.new_zeros(now.shape[0], *self.shapes[source])
            arriving = delayed(sent[source], step, delay, resting)
            values = arriving if values is None else values + arriving
        assert values is not None
        return values


def _register(model: nn.Module, name: str, module: nn.Module) -> None:
    """Register a node's module under its name, whose dots lead into modules of modules.

    A part of a name that is taken, such as ``forward``, gets underscores behind it.
    """
    parent = model
    *outer, last = (name or "_").split(".")
    for part in outer:
        part = part or "_"
        inner = parent._modules.get(part)
        if inner is None:
            inner = nn.Module()
            parent.add_module(_free(parent, part), inner)
        parent = inner
    parent.add_module(_free(parent, last or "_"), module)


def _free(parent: nn.Module, name: str) -> str:
    while hasattr(parent, name):
        name += "_"
    return name
