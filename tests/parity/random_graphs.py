"""Random NIR graphs: layers of any neurons, with weights, pooling, delays, skips and loops."""

import nir
import numpy as np
import torch

DT = 1e-3
RESETS = ("zero", "subtract", "none")
Shape = tuple[int, ...]


def random_graph(seed: int) -> nir.NIRGraph:
    """Return a random graph that a Loihi 2 can run, with one input and one output."""
    return _Graph(np.random.default_rng(seed)).made()


def takes_events(seed: int) -> bool:
    """Return whether a graph is shown events rather than images."""
    return seed % 3 == 0


def random_inputs(graph: nir.NIRGraph, seed: int, samples: int = 5) -> torch.Tensor:
    """Return images (samples, *shape), or events (time steps, samples, *shape), for a graph.

    Args:
        graph: the graph of this seed.
        seed: chooses the values.
        samples: number of samples.
    """
    shape = tuple(int(n) for n in graph.nodes["input"].output_type["output"])
    generator = torch.Generator().manual_seed(seed)
    if not takes_events(seed):
        return torch.rand(samples, *shape, generator=generator)
    events = torch.rand(graph.metadata["steps"], samples, *shape, generator=generator) > 0.5
    return events.float()


class _Graph:
    """A graph that grows layer by layer.

    Attributes:
        shapes: shapes of the input and of the layers of neurons so far.
    """

    def __init__(self, random: np.random.Generator) -> None:
        self.random = random
        self.shape: Shape = (2, 6, 6) if random.random() < 0.4 else (int(random.integers(3, 9)),)
        self.nodes: dict[str, nir.NIRNode] = {"input": nir.Input(np.array(self.shape))}
        self.edges: list[tuple[str, str]] = []
        self.shapes: dict[str, Shape] = {"input": self.shape}

    def made(self) -> nir.NIRGraph:
        last = "input"
        for number in range(int(self.random.integers(1, 4))):
            last = self.layer(number, last)
        for source in list(self.shapes)[1:]:
            if self.random.random() < 0.3:
                self.connect(source, self.choose(list(self.shapes)[1:]), "back")
        end = last
        if self.random.random() < 0.4:
            self.size = (int(self.random.integers(2, 5)),)
            end = self.weights(last, self.size, "readout")
        shape = self.shapes.get(end) or self.size
        self.nodes["output"] = nir.Output(np.array(shape))
        self.edges.append((end, "output"))
        metadata = {"dt": DT, "steps": int(self.random.integers(1, 10)), "readout": "mean"}
        if self.random.random() < 0.3:
            metadata["reads"] = "membrane"
        if self.random.random() < 0.5:
            metadata["readout"] = "last"
        return nir.NIRGraph(self.nodes, self.edges, metadata=metadata, type_check=False)

    def layer(self, number: int, source: str) -> str:
        name, given = f"n{number}", self.shapes[source]
        size: Shape = (int(self.random.integers(2, 8)),)
        if len(given) == 3 and min(given[1:]) > 2 and self.random.random() < 0.6:
            end, size = self.convolution(source, name)
        else:
            end = self.weights(source, size, name)
        self.nodes[name] = self.neurons(size)
        self.edges.append((end, name))
        self.shapes[name] = size
        for other in list(self.shapes)[:-1]:
            if self.random.random() < 0.25:
                self.connect(other, name, "skip")
        return name

    def connect(self, source: str, target: str, kind: str) -> None:
        """Add another connection, direct if the shapes are equal, else over weights."""
        given, size = self.shapes[source], self.shapes[target]
        start = source
        if self.random.random() < 0.3:
            start = self.add(f"{kind}_delay", nir.Delay(self.delays(given)), source)
        if given == size and self.random.random() < 0.5:
            if self.random.random() < 0.5:
                start = self.add(f"{kind}_scale", nir.Scale(self.normal(size)), start)
            self.edges.append((start, target))
        elif len(size) == 1:
            self.edges.append((self.weights(start, size, kind, given), target))

    def weights(self, source: str, size: Shape, name: str, given: Shape | None = None) -> str:
        """Add fully connected weights, maybe two sets or a scale; return the last node."""
        given = self.shapes[source] if given is None else given
        if len(given) == 3:
            shape = {"input": np.array(given)}
            source = self.add(f"{name}_flat", nir.Flatten(shape, start_dim=0), source)
        inputs = int(np.prod(given))
        if self.random.random() < 0.15:
            middle = int(self.random.integers(2, 6))
            source = self.add(f"{name}_first", self.affine(middle, inputs), source)
            inputs = middle
        source = self.add(f"{name}_fc", self.affine(size[0], inputs), source)
        if self.random.random() < 0.15:
            source = self.add(f"{name}_by", nir.Scale(1 + self.random.random(size)), source)
        return source

    def convolution(self, source: str, name: str) -> tuple[str, Shape]:
        """Add a convolution, maybe pooled before or after; return the last node and its shape."""
        given = self.shapes[source]
        if min(given[1:]) >= 6 and self.random.random() < 0.2:
            source, given = self.pooling(source, f"{name}_shrink", given)
        channels, height, width = given
        outputs, padding = int(self.random.integers(1, 5)), int(self.random.integers(0, 2))
        stride, dilation, groups = 1, 1, 1
        if min(height, width) + 2 * padding >= 5 and self.random.random() < 0.3:
            stride, dilation = int(self.random.integers(1, 3)), int(self.random.integers(1, 3))
        if self.random.random() < 0.2:
            groups, outputs = channels, channels * int(self.random.integers(1, 3))
        kernel = self.normal((outputs, channels // groups, 3, 3))
        bias = self.normal((outputs,)) / 2
        node = nir.Conv2d((height, width), kernel, stride, padding, dilation, groups, bias)
        source = self.add(f"{name}_conv", node, source)
        high, wide = (
            (side + 2 * padding - 2 * dilation - 1) // stride + 1 for side in (height, width)
        )
        shape = (outputs, high, wide)
        if min(high, wide) >= 4 and self.random.random() < 0.4:
            return self.pooling(source, f"{name}_pool", shape)
        return source, shape

    def pooling(self, source: str, name: str, given: Shape) -> tuple[str, Shape]:
        kind = self.choose([nir.AvgPool2d, nir.SumPool2d])
        pool = kind(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))
        return self.add(name, pool, source), (given[0], given[1] // 2, given[2] // 2)

    def neurons(self, size: Shape) -> nir.NIRNode:
        ones, random = np.ones(size), self.random
        reset = self.choose(RESETS)
        metadata: dict[str, object] = {"reset": reset, "reset_delay": int(random.random() < 0.5)}
        if random.random() < 0.2:
            metadata["refractory"] = DT * int(random.integers(1, 4))
        decay = ones * random.choice([0.0, 0.3, 0.5, 0.9])
        if random.random() < 0.3:
            decay = random.uniform(0, 0.95, size)
        if random.random() < 0.3:
            gain = self.choose(["coupled", "mean"])
            metadata["random_tau"] = {
                **{"distribution": "uniform", "parameters": "0.1 0.9", "bits": 3},
                **{"sampling": self.choose(["step", "forward"]), "input_gain": gain},
            }
            decay = ones * 0.5
        threshold = ones * random.uniform(0.3, 2)
        if random.random() < 0.2:
            threshold = random.uniform(0.3, 2, size)
        rest = ones * 0
        if random.random() < 0.2:
            rest = np.broadcast_to(random.uniform(0, 0.25), size).copy()
        shared = {"v_threshold": threshold, "v_reset": ones * 0, "metadata": metadata}
        tau = DT / (1 - decay)
        if random.random() < 0.25:
            metadata["reset_current"] = int(random.random() < 0.5)
            syn = ones * DT / (1 - random.choice([0.3, 0.6]))
            # A gain that is drawn with λ has no factor beside 1 − λ.
            drive = {"r": ones if "random_tau" in metadata else 1 / (1 - decay), "w_in": syn / DT}
            return nir.CubaLIF(tau_mem=tau, tau_syn=syn, v_leak=rest, **drive, **shared)
        if random.random() < 0.15 and "random_tau" not in metadata:
            return nir.IF(r=ones / DT, **shared)
        scales = "random_tau" in metadata or random.random() < 0.5
        r = ones if scales else 1 / (1 - decay)
        return nir.LIF(tau=tau, r=r, v_leak=rest, **shared)

    def affine(self, outputs: int, inputs: int) -> nir.NIRNode:
        weight = self.normal((outputs, inputs))
        if self.random.random() < 0.3:
            return nir.Linear(weight)
        return nir.Affine(weight, self.normal((outputs,)) / 2)

    def delays(self, shape: Shape) -> np.ndarray:
        if self.random.random() < 0.5:
            return np.full(shape, DT * int(self.random.integers(1, 4)))
        return DT * self.random.integers(0, 4, shape)

    def add(self, name: str, node: nir.NIRNode, source: str) -> str:
        while name in self.nodes:
            name += "_"
        self.nodes[name] = node
        self.edges.append((source, name))
        return name

    def normal(self, shape: Shape) -> np.ndarray:
        return self.random.normal(size=shape)

    def choose(self, values):  # type: ignore[no-untyped-def]
        return values[int(self.random.integers(len(values)))]
