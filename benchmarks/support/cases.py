"""All rows of the support table."""

from collections.abc import Callable, Iterator
from typing import Any

import nir
import torch
from torch import nn

from benchmarks.support import idioms, networks
from benchmarks.support.examination import Case
from benchmarks.support.graphs import DT, PRIMITIVES
from benchmarks.support.networks import IMAGE, TUTORIALS, EventsNet, RateCoded, strong
from benchmarks.support.neurons import NEURONS, ONE_TO_ONE, RANDOM, REFUSED, Loop
from stochi.export import to_nir

RESETS = ("subtract", "zero", "none")
STEPS = 12


def all_cases() -> list[Case]:
    """Return every row of the table, in order."""
    return [*_neurons(), *_idioms(), *_readouts(), *_networks(), *_primitives()]


def _exported(
    build: Callable[[], nn.Module], sample: Callable[[], torch.Tensor]
) -> Callable[[], nir.NIRGraph]:
    return lambda: to_nir(build(), sample())


def _driven(build: Callable[[], nn.Module]) -> nn.Module:
    net = build().eval()
    with torch.no_grad():
        net.fc.weight *= 4  # type: ignore[union-attr, operator]
    return net


def _neurons() -> Iterator[Case]:
    def frames() -> torch.Tensor:
        return (torch.rand(STEPS, 2, 5) > 0.5).float()

    group = "Neurons of snnTorch 1.0, and their resets"
    for name, neuron in {**NEURONS, **ONE_TO_ONE, **RANDOM}.items():
        for reset in RESETS:

            def build(neuron: Any = neuron, reset: str = reset) -> nn.Module:
                return _driven(lambda: Loop(neuron(reset_mechanism=reset)))

            yield Case(group, f"{name}: {reset}", _exported(build, frames), (5,), True)
    for name in ("Leaky", "Synaptic", "RLeaky"):

        def at_once(name: str = name) -> nn.Module:
            neuron = NEURONS[name](reset_mechanism="zero", reset_delay=False)
            return _driven(lambda: Loop(neuron))

        yield Case(group, f"{name}: zero, at once", _exported(at_once, frames), (5,), True)
    for name, refused in REFUSED.items():
        yield Case(group, name, _exported(refused, frames), (5,), True)


def _idioms() -> Iterator[Case]:
    group = "Layers, and what is written between neurons"
    for name, (shape, step, modules) in {**idioms.EXPORTED, **idioms.REFUSED}.items():

        def build(step: Any = step, modules: Any = modules) -> nn.Module:
            made = {key: make() for key, make in modules.items()}
            return strong(idioms.Net(step, **made), 2.0)

        # Its own forward makes images of rows: the graph takes images.
        shown = (1, 4, 4) if name == "images from rows" else shape
        yield Case(group, name, _exported(build, _images(shape)), shown)


def _images(shape: tuple[int, ...]) -> Callable[[], torch.Tensor]:
    return lambda: torch.rand(4, *shape)


def _readouts() -> Iterator[Case]:
    group = "How the output is read"
    for name, (step, after) in idioms.READOUTS.items():

        def build(step: Any = step, after: Any = after) -> nn.Module:
            modules: dict[str, Any] = {key: make() for key, make in idioms.DENSE.items()}
            if step is idioms.spiking:
                modules["n"] = idioms.leaky(output=True)
            return strong(idioms.Net(step, after, **modules))

        yield Case(group, name, _exported(build, _images((12,))), (12,))


def _networks() -> Iterator[Case]:
    group = "Networks after snnTorch's tutorials"
    for name, (build, shape, _, _) in TUTORIALS.items():
        made = _exported(lambda build=build: strong(build()), _images(shape))  # type: ignore[misc]
        yield Case(group, name, made, shape)
    for name, build in networks.REFUSED.items():
        yield Case(group, name, _exported(build, _images(IMAGE)), IMAGE)
    yield Case(
        group,
        "events drawn outside (spikegen.rate)",
        _exported(lambda: strong(EventsNet()), lambda: (torch.rand(STEPS, 2, 64) > 0.5).float()),
        *((64,), True),
    )
    inside = _exported(lambda: strong(RateCoded()), _images((1, 8, 8)))
    yield Case(group, "events drawn in forward (spikegen.rate)", inside, (1, 8, 8))


def _primitives() -> Iterator[Case]:
    for name, (shape, build) in PRIMITIVES.items():

        def noted(build: Callable[[], nir.NIRGraph] = build) -> nir.NIRGraph:
            graph = build()
            graph.metadata = {"dt": DT, "steps": STEPS, "readout": "mean"}
            return graph

        yield Case("Primitives of NIR 1.0.8", name, noted, shape, events=True, given=True)
