"""Nothing that is passed in is changed, nor what a process has once: every public function."""

import random
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
import torch
from torch import nn

from stochi import attacks, data, deploy, sim
from tests.calls.base_cases import CALLS, METHODS, Call, World

CHANGES_ITS_MODEL = {"train.set_draws"}
"""Functions whose purpose is to change what they get."""
MAKES_NO_CALL = {"deploy.read_net", "study.conduct", "study.conduct_events"}
"""Functions whose case is not a right call: it would need another tool's file, or minutes."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


def contents(value: Any, path: str = "", seen: frozenset[int] = frozenset()) -> Iterator[tuple]:
    """Yield all that can be told of a value, as pairs of a path and a value to compare."""
    if id(value) in seen:
        return
    seen |= {id(value)}
    if isinstance(value, torch.Tensor):
        grad = None if value.grad is None else bytes_of(value.grad)
        yield path, (bytes_of(value), value.dtype, value.requires_grad, grad, value.is_leaf)
    elif isinstance(value, np.ndarray):
        yield path, (value.tobytes(), value.dtype, value.shape, value.flags.writeable)
    elif isinstance(value, nn.Module):
        yield f"{path}.training", value.training
        for name in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks"):
            yield f"{path}.{name}", list(getattr(value, name))
        for name, part in sorted({**vars(value), **value._parameters, **value._buffers}.items()):
            if not name.startswith("_"):
                yield from contents(part, f"{path}.{name}", seen)
        for name, child in value.named_children():
            yield from contents(child, f"{path}.{name}", seen)
    elif isinstance(value, nir.NIRGraph):
        yield f"{path}.edges", list(value.edges)
        yield from contents({**value.nodes, "metadata": value.metadata}, path, seen)
    elif isinstance(value, nir.NIRNode):
        yield f"{path}.type", type(value)
        yield from contents(dict(vars(value)), path, seen)
    elif isinstance(value, dict):
        yield f"{path}.keys", list(value)
        for name, part in value.items():
            yield from contents(part, f"{path}.{name}", seen)
    elif isinstance(value, list | tuple):
        yield f"{path}.length", len(value)
        for number, part in enumerate(value):
            yield from contents(part, f"{path}.{number}", seen)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from contents(getattr(value, field.name), f"{path}.{field.name}", seen)
    elif isinstance(value, str | int | float | bool | bytes | None):
        yield path, value


def bytes_of(tensor: torch.Tensor) -> bytes:
    return tensor.detach().numpy().tobytes()


def process() -> dict[str, Any]:
    """Return what a process has once."""
    return {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "numpy": repr(np.random.get_state()),
        "python": random.getstate(),
        "threads": torch.get_num_threads(),
        "dtype": torch.get_default_dtype(),
        "gradients": torch.is_grad_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }


DRAWS = {
    *("train.RandomTauLeaky", "train.make_defence", "train.randomize"),
}


def leaves_everything(call: Call) -> None:
    before, process_before = list(contents(call.arguments)), process()
    found = call()
    if isinstance(found, Iterator):
        list(found)
    assert process() == process_before
    after = list(contents(call.arguments))
    assert [path for path, _ in after] == [path for path, _ in before]
    assert [path for (path, one), (_, two) in zip(after, before, strict=True) if one != two] == []


@pytest.mark.parametrize("name", sorted({**CALLS, **METHODS}.keys() - MAKES_NO_CALL))
def test_a_call_leaves_everything_as_it_was(name: str, world: World) -> None:
    if name in CHANGES_ITS_MODEL:
        pytest.skip("it is made to change its model")
    if name.endswith("onnx"):
        pytest.importorskip("onnx")
    call = {**CALLS, **METHODS}[name](world)
    torch.manual_seed(11)
    np.random.seed(11)
    random.seed(11)
    leaves_everything(call)


AWKWARD = {
    "float64": lambda values: values.double(),
    "array": lambda values: values.numpy().copy(),
    "array of float64": lambda values: values.double().numpy().copy(),
    "read-only array": lambda values: _read_only(values),
    "requires grad": lambda values: values.clone().requires_grad_(),
    "not contiguous": lambda values: values.transpose(-1, -2),
    "expanded": lambda values: values[:, :1].expand(values.shape),
    "float16": lambda values: values.half(),
}


def _read_only(values: torch.Tensor) -> np.ndarray:
    array = values.numpy().copy()
    array.flags.writeable = False
    return array


@pytest.mark.filterwarnings("ignore:The given NumPy array is not writable")
@pytest.mark.parametrize("form", AWKWARD)
def test_inputs_of_every_form_give_the_same_twice_and_stay(form: str, world: World) -> None:
    given = AWKWARD[form](world.images.inputs)
    again = torch.as_tensor(given).detach().clone()
    for program, shown in (
        (world.program, given),
        (world.event_program, AWKWARD[form](world.frames)),
    ):
        call = Call(sim.run, {"program": program, "inputs": shown, "probes": ("membrane",)})
        leaves_everything(call)
        one, two = call(), call()
        assert torch.equal(one.logits, two.logits)
    expected = sim.run(world.program, again).logits
    assert torch.equal(sim.run(world.program, given).logits, expected)
    if isinstance(given, torch.Tensor):
        leaves_everything(Call(data.Images, {"inputs": given, "labels": world.images.labels}))
        leaves_everything(
            Call(deploy.lower, {"graph": world.graph, "noise": "membrane", "calibration": given})
        )
        model = world.model.double() if form == "float64" else world.model
        if form != "float16":
            leaves_everything(
                Call(
                    attacks.PGD(0.1, iterations=2, draws=1),
                    {"*": (model, given, world.images.labels)},
                )
            )
        world.model.float()


@pytest.mark.parametrize("training", [True, False])
def test_models_keep_mode_hooks_and_gradients(training: bool, world: World) -> None:
    handle = world.model.register_forward_hook(lambda *_: None)
    parameter = next(world.model.parameters())
    parameter.grad = torch.ones_like(parameter)
    parameter.requires_grad_(False)
    world.model.train(training)
    try:
        for name in (
            *("attacks.Attack.run", "export.to_nir", "parity.check_parity", "parity.ablate"),
            *("deploy.measure_model", "train.fine_tune", "train.make_twin", "train.twin_of"),
        ):
            leaves_everything({**CALLS, **METHODS}[name](world))
    finally:
        handle.remove()
        parameter.grad = None
        parameter.requires_grad_(True)
        world.model.eval()


def test_the_answer_does_not_share_memory_with_what_was_given(world: World, tmp_path: Path) -> None:
    """Else a later change of one changes the other."""
    weight = world.graph.nodes["network.fc1"].weight
    program = deploy.lower(world.graph)
    assert not any(
        np.shares_memory(weight, stage.weight)
        for layer in program.layers
        for projection in layer.projections
        for stage in projection.stages
        if hasattr(stage, "weight")
    )
    perturbed = attacks.FGSM(0.0, draws=1)(world.model, world.images.inputs, world.images.labels)
    assert perturbed.data_ptr() != world.images.inputs.data_ptr()
