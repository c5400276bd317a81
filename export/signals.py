"""Signals: what travels between neurons, as a sum of linear paths from sources, and a constant."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from stochi.export.operations import Key, Operation, Place, Scale, Shape, Weights

INPUT, SPIKES, CURRENT, MEMBRANE = "input", "spikes", "syn", "mem"


@dataclass(frozen=True)
class Source:
    """Where a path begins.

    Attributes:
        kind: "input", or of a neuron layer "spikes", "mem" (its membrane) or "syn" (its current).
        name: the neuron layer's name; "" for the input.
        time: time step; None for an input that is the same at every time step.
        shape: shape without the batch.
    """

    kind: str
    name: str
    time: int | None
    shape: Shape


@dataclass(frozen=True, eq=False)
class Term:
    """One path from a source, times a number."""

    source: Source
    path: tuple[Operation, ...] = ()
    factor: float = 1.0

    @property
    def key(self) -> Key:
        return (self.source, *(operation.key for operation in self.path))

    @property
    def shape(self) -> Shape:
        return self.path[-1].output_shape if self.path else self.source.shape


@dataclass(frozen=True, eq=False)
class Signal:
    """A sum of paths and a constant, of one shape without the batch.

    Attributes:
        constant: float64, of a shape that broadcasts to ``shape``.
        label: name of the layer that computed it, for errors and names.
    """

    shape: Shape
    terms: tuple[Term, ...] = ()
    constant: np.ndarray | float = 0.0
    label: str = ""

    def applied(self, operation: Operation) -> "Signal":
        """Return the signal after a linear operation."""
        constant: np.ndarray | float = 0.0
        if np.any(self.constant):
            full = torch.from_numpy(np.broadcast_to(self.constant, self.shape).astype(np.float64))
            constant = operation.apply(full[None])[0].numpy()
            if isinstance(operation, Weights):
                operation = replace(operation, received=full.numpy())
        terms = tuple(replace(t, path=(*t.path, operation)) for t in self.terms)
        return Signal(operation.output_shape, terms, constant, operation.label or self.label)

    def times(self, factor: np.ndarray | float, label: str = "") -> "Signal":
        """Return the signal times constants of a shape that broadcasts to its own."""
        label = label or self.label
        if np.size(factor) == 1:
            number = float(np.reshape(factor, ()))
            terms = tuple(replace(t, factor=t.factor * number) for t in self.terms)
            return Signal(self.shape, terms, self.constant * number, label)
        scaled = Scale("", self.shape, self.shape, np.asarray(factor, np.float64))
        terms = tuple(replace(t, path=(*t.path, scaled)) for t in self.terms)
        return Signal(self.shape, terms, self.constant * np.asarray(factor), label)

    def plus(self, constant: np.ndarray | float) -> "Signal":
        """Return the signal plus a constant of a shape that broadcasts to its own."""
        return replace(self, constant=self.constant + constant)

    def renamed(self, rename: Callable[[Source], Source]) -> "Signal":
        """Return the signal with its sources renamed."""
        terms = tuple(replace(t, source=rename(t.source)) for t in self.terms)
        return replace(self, terms=terms)


def add(signals: list[Signal], label: str = "") -> Signal:
    """Return the sum of signals of one shape; equal paths become one, with a factor."""
    found: dict[Key, Term] = {}
    for signal in signals:
        for term in signal.terms:
            known = found.get(term.key)
            factor = term.factor + (known.factor if known else 0.0)
            found[term.key] = replace(known or term, factor=factor)
    constant = signals[0].constant
    for signal in signals[1:]:
        constant = constant + signal.constant
    terms = tuple(t for t in found.values() if t.factor != 0)
    return Signal(signals[0].shape, terms, constant, label)


def concatenate(signals: list[Signal], label: str = "") -> Signal:
    """Return signals concatenated along their first axis."""
    total = sum(signal.shape[0] for signal in signals)
    shape = (total, *signals[0].shape[1:])
    placed, start = [], 0
    for signal in signals:
        placed.append(signal.applied(Place("", signal.shape, shape, start)))
        start += signal.shape[0]
    return add(placed, label)


def is_zero(signal: Signal) -> bool:
    """Return whether a signal is zero whatever the input."""
    return not signal.terms and not np.any(signal.constant)


def same(first: Signal, second: Signal) -> bool:
    """Return whether two signals have the same paths and the same constant up to rounding."""
    if first.shape != second.shape or not np.allclose(
        first.constant, second.constant, rtol=1e-5, atol=1e-8
    ):
        return False
    one, two = ({t.key: t.factor for t in s.terms} for s in (first, second))
    return one.keys() == two.keys() and all(math.isclose(one[k], two[k], rel_tol=1e-6) for k in one)
