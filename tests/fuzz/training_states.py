"""States of an interrupted training that are almost right."""

from collections.abc import Iterator
from typing import Any

import torch

from tests.fuzz import hostile
from tests.fuzz.tensor_files import hostile_tensors

State = dict[str, Any]
Change = tuple[str, str, Any]
"""A name, the part of the state, and its value."""
_FEW = hostile.VALUES[::2]


def almost_right(state: State) -> Iterator[Change]:
    """Yield parts of a state in which one thing is wrong."""
    yield from _weights(state, "weights")
    yield from _weights(state, "best_weights")
    yield from _optimizers(state["optimizer"])
    yield from _progress(state)
    for number, rows in enumerate(_rows()):
        yield f"rows {number}", "epoch", {"rows": rows, "batches": 1, "loss": 0.0}
    generator = state["generator"]
    for name, value in {
        "zeros": generator * 0,
        "ones": generator * 0 + 1,
        "full": generator | 255,
        "short": generator[:-1],
        "long": torch.cat([generator, generator]),
        "words": generator.view(torch.int64),
    }.items():
        yield name, "generator", value


def _weights(state: State, part: str) -> Iterator[Change]:
    weights = state[part]
    name = next(name for name, value in weights.items() if value.dim() > 1)
    for kind, value in hostile_tensors().items():
        yield kind, part, weights | {name: value}
    yield "more", part, weights | {"more": torch.ones(1)}
    yield "a number", part, weights | {1: torch.ones(1)}
    yield "not finite", part, {name: value * float("nan") for name, value in weights.items()}


def _optimizers(optimizer: State) -> Iterator[Change]:
    def kept(**values: Any) -> State:
        state = optimizer["state"]
        first = next(iter(state))
        return optimizer | {"state": state | {first: state[first] | values}}

    def grouped(**options: Any) -> State:
        return optimizer | {"param_groups": [optimizer["param_groups"][0] | options]}

    for name in next(iter(optimizer["state"].values())):
        for kind, value in hostile_tensors().items():
            yield f"{name} {kind}", "optimizer", kept(**{name: value})
    for step in (-1.0, -2.0, float("nan"), float("inf"), 1e38, -1e30, 0.5):
        yield f"step {step}", "optimizer", kept(step=torch.tensor(step))
    for number, value in enumerate(_FEW):
        yield f"rate {number}", "optimizer", grouped(lr=value)
    names = ("betas", "eps", "foreach", "fused", "capturable", "maximize", "params", "momentum")
    for name in names:
        for value in (None, "x", -1, (1, 2), [0] * 9, True):
            yield f"{name} {value!r}", "optimizer", grouped(**{name: value})


def _progress(state: State) -> Iterator[Change]:
    schedule, epoch = state["schedule"], state["history"][0]
    for number, value in enumerate(_FEW):
        yield f"end {number}", "schedule", schedule | {"T_max": value}
        yield f"rates {number}", "schedule", schedule | {"_last_lr": [value]}
        for name in epoch:
            yield f"{name} {number}", "history", [epoch | {name: value}]
    for name in ("step", "optimizer", "get_lr", "__class__"):
        yield f"attribute {name}", "schedule", schedule | {name: 1}
    for length in (0, 2, 3, 4, 10_000):
        history = [epoch | {"number": number + 1} for number in range(length)]
        yield f"of {length}", "history", history
    for batches in (-1, 0, 1, 2, 3, 2**70, True, 1.0, "1"):
        begun = {"rows": torch.arange(5, 15), "batches": batches, "loss": 0.0}
        yield f"batches {batches!r}", "epoch", begun
    yield "more", "draws", state["draws"] | {"": 1}
    yield "list", "draws", [1]


def _rows() -> tuple[Any, ...]:
    rows = torch.arange(5, 15)
    return rows, rows.int(), rows.double(), rows[None], rows[1:], rows * 0, rows - 1, rows.tolist()
