"""NIR graphs with one primitive each, as another framework could write them."""

import itertools
from collections.abc import Callable
from typing import Any

import nir
import numpy as np

DT = 1e-3
FLAT = nir.Flatten({"input": None}, 0, -1)


def chain(*nodes: nir.NIRNode, shape: tuple[int, ...], out: tuple[int, ...] = ()) -> nir.NIRGraph:
    """Make a chain without NIR's type check, which does not know groups."""
    named = {"input": nir.Input(np.array(shape))}
    named |= {f"n{i}": node for i, node in enumerate(nodes)}
    named["output"] = nir.Output(np.array(out))
    names = list(named)
    return nir.NIRGraph(named, list(itertools.pairwise(names)), {}, type_check=False)


def lif(*shape: int, **changed: Any) -> nir.LIF:
    values: dict[str, Any] = {
        "tau": 4 * DT,
        "r": 1.0,
        "v_leak": 0.0,
        "v_threshold": 0.3,
        "v_reset": 0.0,
    } | changed
    noted = values.pop("metadata", {"reset": "zero"})
    return nir.LIF(
        **{k: np.broadcast_to(v, shape).astype(float) for k, v in values.items()}, metadata=noted
    )


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).standard_normal(shape)


def conv(
    outputs: int, inputs: int, kernel: int, padding: int = 0, groups: int = 1, stride: int = 1
) -> nir.Conv2d:
    weight = random(outputs, inputs // groups, kernel, kernel)
    return nir.Conv2d(None, weight, stride, padding, 1, groups, random(outputs))


def pool(kind: type[nir.NIRNode], size: int = 2, padding: int = 0) -> nir.NIRNode:
    return kind(*(np.array([v, v]) for v in (size, size, padding)))


def scale(*shape: int) -> nir.Scale:
    return nir.Scale(random(*shape) if shape else np.array(1.7))


def affine(outputs: int, inputs: int) -> nir.Affine:
    return nir.Affine(random(outputs, inputs), random(outputs))


def values(count: int, *numbers: float) -> list[np.ndarray]:
    return [np.full(count, number) for number in numbers]


def inner() -> nir.NIRGraph:
    """Put two nodes into a graph of their own, inside another."""
    return chain(chain(affine(8, 6), lif(8), shape=(6,), out=(8,)), shape=(6,), out=(8,))


LIF = nir.LIF(*values(8, 4 * DT, 2.0, 0.0, 0.5, 0.0), metadata={"reset": "zero"})
READOUT = (affine(8, 6), LIF, affine(4, 8))
IMAGE = (3, 6, 6)
PRIMITIVES: dict[str, tuple[tuple[int, ...], Callable[[], nir.NIRGraph]]] = {
    "Input, Output": ((8,), lambda: chain(LIF, shape=(8,), out=(8,))),
    "NIRGraph": ((6,), inner),
    "Linear": (
        (6,),
        lambda: chain(nir.Linear(2 * abs(random(8, 6))), LIF, shape=(6,), out=(8,)),
    ),
    "Affine": ((6,), lambda: chain(affine(8, 6), LIF, shape=(6,), out=(8,))),
    "Conv1d": (
        (3, 9),
        lambda: chain(
            nir.Conv1d(9, random(4, 3, 3), 2, 1, 1, 1, random(4)),
            lif(4, 5),
            shape=(3, 9),
            out=(4, 5),
        ),
    ),
    "Conv2d": (IMAGE, lambda: chain(conv(4, 3, 3), lif(4, 4, 4), shape=IMAGE, out=(4, 4, 4))),
    "Scale": ((8,), lambda: chain(nir.Scale(3 * abs(random(8))), LIF, shape=(8,), out=(8,))),
    "AvgPool2d": (
        IMAGE,
        lambda: chain(conv(4, 3, 3), lif(4, 4, 4), pool(nir.AvgPool2d), shape=IMAGE, out=(4, 2, 2)),
    ),
    "SumPool2d": (
        IMAGE,
        lambda: chain(
            *(conv(4, 3, 3), lif(4, 4, 4), pool(nir.SumPool2d), lif(4, 2, 2)),
            **{"shape": IMAGE, "out": (4, 2, 2)},
        ),
    ),
    "Flatten": (
        IMAGE,
        lambda: chain(conv(4, 3, 3), lif(4, 4, 4), FLAT, affine(8, 64), LIF, shape=IMAGE, out=(8,)),
    ),
    "Delay": (
        (6,),
        lambda: chain(
            *(affine(8, 6), LIF, nir.Delay(DT * (np.arange(8) % 3)), affine(8, 8), LIF),
            **{"shape": (6,), "out": (8,)},
        ),
    ),
    "LIF": ((6,), lambda: chain(affine(8, 6), LIF, shape=(6,), out=(8,))),
    "LIF, v_leak and v_reset": (
        (6,),
        lambda: chain(affine(8, 6), lif(8, r=2.0, v_leak=0.2, v_reset=-0.4), shape=(6,), out=(8,)),
    ),
    "IF": (
        (6,),
        lambda: chain(
            affine(8, 6),
            nir.IF(*values(8, 1 / DT, 2.0, 0.0), metadata={"reset": "subtract"}),
            shape=(6,),
            out=(8,),
        ),
    ),
    "CubaLIF": (
        (6,),
        lambda: chain(
            affine(8, 6),
            nir.CubaLIF(*values(8, 3 * DT, 6 * DT, 2.0, 0.0, 0.5, 0.0), metadata={"reset": "zero"}),
            shape=(6,),
            out=(8,),
        ),
    ),
    "LI": (
        (6,),
        lambda: chain(*READOUT, nir.LI(*values(4, 5 * DT, 1.0, 0.0)), shape=(6,), out=(4,)),
    ),
    "CubaLI": (
        (6,),
        lambda: chain(
            *READOUT, nir.CubaLI(*values(4, 2 * DT, 5 * DT, 1.0, 0.0)), shape=(6,), out=(4,)
        ),
    ),
    "I": ((6,), lambda: chain(*READOUT, nir.I(np.full(4, 1 / DT)), shape=(6,), out=(4,))),
    "LI between layers": (
        (6,),
        lambda: chain(
            *(affine(8, 6), nir.LI(*values(8, 5 * DT, 1.0, 0.0)), affine(8, 8), LIF),
            **{"shape": (6,), "out": (8,)},
        ),
    ),
    "Threshold": (
        (6,),
        lambda: chain(affine(8, 6), nir.Threshold(np.full(8, 0.4)), shape=(6,), out=(8,)),
    ),
    "two convolutions in a row": (
        IMAGE,
        lambda: chain(conv(5, 3, 3, 1), conv(4, 5, 3, 1), lif(4, 6, 6), shape=IMAGE, out=(4, 6, 6)),
    ),
}
"""Builders of a graph by what it shows, each with the shape of its input."""
