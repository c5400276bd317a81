"""The graph of a model, which calls a network's time step in a loop, or once for each step."""

from typing import Any

import numpy as np
import torch
from onnx import ModelProto, TensorProto, ValueInfoProto, helper, numpy_helper

from stochi.export.onnx.body import DOMAIN, Body, names_read_by
from stochi.export.onnx.step_function import OPSET, StepFunction, write_step
from stochi.export.onnx.stepped import (
    FIRST_SAMPLE,
    FRAME,
    SAMPLES,
    SEED,
    STEP,
    TRIAL,
    Advanced,
    Drawn,
    Given,
    Kind,
    SteppedNetwork,
)
from stochi.export.onnx.symbol import (
    ONNX_TYPES,
    Symbol,
    constant,
    numpy_type,
    stored,
    write,
)

IR_VERSION = 8
"""The version of the format that came with the opset."""
BATCH = "batch"
INPUTS = "inputs"


def write_model(network: SteppedNetwork, unrolled: bool) -> ModelProto:
    """Write a network as a model.

    Args:
        network: the network.
        unrolled: whether the graph calls the step once for each time step, in place of a loop.
    """
    main = Body()
    inputs: list[ValueInfoProto] = []
    given = _inputs(network, main, inputs)
    frames = network.frames(given.pop(INPUTS))
    if network.inside and network.draws:
        given |= _numbers(main, inputs, frames, network.streams)
    if not network.streams:
        given[FRAME] = frames
    once = network.once(main, given)
    once |= {
        name: given[name] for name, drawn in network.draws.items() if _lasts(given, drawn, name)
    }
    step = write_step(network, once, Kind(frames.dtype, network.input_shape))
    for name, values in step.arrays.items():
        main.array(name, values)
    start = {name: _zeros(main, kind, frames, network) for name, kind in network.states.items()}
    given |= once | start
    if network.streams:
        given[FRAME] = frames
    ends = (_unrolled if unrolled else _loop)(network, main, step, given)
    outputs = network.finish(ends.read) | ends.probes
    return _model(main, inputs, outputs, step)


def _inputs(network: SteppedNetwork, main: Body, inputs: list[ValueInfoProto]) -> Given:
    """Declare the inputs, and draws that are made outside."""
    steps = (network.time_steps,)
    sizes = (*(steps if network.streams else ()), None, *network.input_shape)
    given = {INPUTS: _declared(main, inputs, INPUTS, torch.float32, sizes)}
    for name, drawn in network.draws.items():
        if not network.inside:
            sizes = (*(steps if drawn.each_step else ()), None, *drawn.kind.shape)
            given[name] = _declared(main, inputs, name, drawn.kind.dtype, sizes)
    return given


def _numbers(main: Body, inputs: list[ValueInfoProto], frames: Symbol, streams: bool) -> Given:
    """Declare seed, trial and the first sample's number; write the samples' numbers."""
    seed, trial, first = (
        _declared(main, inputs, name, torch.int64, ()) for name in (SEED, TRIAL, FIRST_SAMPLE)
    )
    batch = write("Squeeze", [_batch(frames, streams)], shape=())
    zero, one = constant(first, 0), constant(first, 1)
    samples = write("Range", [zero, batch, one], shape=(None,)) + first
    numbers = {SEED: seed, TRIAL: trial, SAMPLES: samples}
    return {name: value.to(torch.uint64) for name, value in numbers.items()}


def _declared(
    main: Body, inputs: list[ValueInfoProto], name: str, dtype: torch.dtype, sizes: Any
) -> Symbol:
    inputs.append(_described(Symbol(main, name, dtype, tuple(sizes)), name))
    return Symbol(main, name, dtype, tuple(sizes))


def _described(value: Symbol, name: str) -> ValueInfoProto:
    sizes = [BATCH if size is None else size for size in value.shape]
    return helper.make_tensor_value_info(name, ONNX_TYPES[value.dtype], sizes)


def _lasts(given: Given, drawn: Drawn, name: str) -> bool:
    return name in given and not drawn.each_step


def _batch(frames: Symbol, streams: bool) -> Symbol:
    """Return the number of samples, (1,) int64."""
    axis = int(streams)
    return write("Shape", [frames], torch.int64, (1,), start=axis, end=axis + 1)


def _zeros(main: Body, kind: Kind, frames: Symbol, network: SteppedNetwork) -> Symbol:
    batch = _batch(frames, network.streams)
    sizes = constant(frames, np.array(kind.shape, np.int64))
    shape = write("Concat", [batch, sizes], shape=(1 + len(kind.shape),), axis=0)
    value = numpy_helper.from_array(np.zeros(1, numpy_type(kind.dtype)))
    return write("ConstantOfShape", [shape], kind.dtype, (None, *kind.shape), value=value)


def _at(values: Symbol, number: Symbol) -> Symbol:
    """Write the part of a time step."""
    return write("Gather", [values, number], shape=values.shape[1:], axis=0)


def _one_step(
    network: SteppedNetwork, step: StepFunction, body: Body, given: Given, number: Symbol
) -> Advanced:
    """Write a call of the step, and what it adds to what is read.

    Args:
        given: values of the main graph, and the states.
        number: number of the time step, int64.
    """
    inner = {name: Symbol(body, v.name, v.dtype, v.shape) for name, v in given.items()}
    changing = [name for name, drawn in network.draws.items() if drawn.each_step and name in given]
    changing += [FRAME] if network.streams else []
    for name in changing:
        if name in step.inputs:
            inner[name] = _at(inner[name], number)
    if STEP in step.inputs:
        inner[STEP] = number.to(torch.uint64)
    found = step.call(body, inner)
    factors = network.factors
    if factors is None or np.all(factors == 1):
        return found
    factor = _at(stored(body, f"{body.prefix}factors", factors), number)
    return Advanced(found.states, found.read * factor, found.probes)


def _unrolled(network: SteppedNetwork, main: Body, step: StepFunction, given: Given) -> Advanced:
    every = []
    total: Symbol | None = None
    for number in range(network.time_steps):
        place = stored(main, None, np.array(number, np.int64))
        found = _one_step(network, step, main, given, place)
        given = given | found.states
        total = found.read if total is None else total + found.read
        every.append(found)
    assert total is not None
    if network.factors is None:
        total = _joined([found.read for found in every])
    probes = {name: _joined([found.probes[name] for found in every]) for name in every[0].probes}
    return Advanced({}, total, probes)


def _joined(values: list[Symbol]) -> Symbol:
    """Write values of all time steps as one, with steps in front."""
    shape = values[0].shape
    raised = [
        write("Unsqueeze", [value, constant(value, np.array([0], np.int64))], shape=shape)
        for value in values
    ]
    return write("Concat", raised, shape=(len(values), *shape), axis=0)


def _loop(network: SteppedNetwork, main: Body, step: StepFunction, given: Given) -> Advanced:
    body = Body("loop_")
    number = Symbol(body, "loop_iteration", torch.int64, ())
    carried = {
        name: Symbol(body, f"loop_{name}", given[name].dtype, given[name].shape)
        for name in network.states
    }
    found = _one_step(network, step, body, given | carried, number)
    starts = [given[name] for name in network.states]
    ends = [found.states[name] for name in network.states]
    befores = list(carried.values())
    if network.factors is not None:
        total = Symbol(body, "loop_total", found.read.dtype, found.read.shape)
        sizes = tuple(size for size in total.shape if size is not None)
        starts.append(_zeros(main, Kind(total.dtype, sizes), given[FRAME], network))
        befores.append(total)
        ends.append(total + found.read)
    scanned = [*([] if network.factors is not None else [found.read]), *found.probes.values()]
    condition = helper.make_tensor_value_info("loop_condition", TensorProto.BOOL, [])
    body.add("Identity", ["loop_condition"], ["loop_goes_on"])
    outputs = [*ends, *scanned]
    names = [f"loop_end_{place}" for place in range(len(outputs))]
    for value, name in zip(outputs, names, strict=True):
        body.add("Identity", [value.name], [name])
    goes_on = helper.make_tensor_value_info("loop_goes_on", TensorProto.BOOL, [])
    graph = helper.make_graph(
        body.reachable(["loop_goes_on", *names]),
        "time_steps",
        [_described(number, number.name), condition, *(_described(v, v.name) for v in befores)],
        [goes_on, *(_described(v, name) for v, name in zip(outputs, names, strict=True))],
    )
    for name, values in body.arrays.items():
        main.array(name, values)
    count = stored(main, None, np.array(network.time_steps, np.int64))
    made = main.emit(
        "Loop", [count.name, "", *(value.name for value in starts)], len(outputs), body=graph
    )
    after = [Symbol(main, name, v.dtype, v.shape) for name, v in zip(made, outputs, strict=True)]
    steps = [
        Symbol(main, v.name, v.dtype, (network.time_steps, *v.shape)) for v in after[len(ends) :]
    ]
    read = after[len(ends) - 1] if network.factors is not None else steps.pop(0)
    return Advanced({}, read, dict(zip(found.probes, steps, strict=True)))


def _model(
    main: Body, inputs: list[ValueInfoProto], outputs: Given, step: StepFunction
) -> ModelProto:
    for name, value in outputs.items():
        main.add("Identity", [value.name], [name])
    nodes = main.reachable(outputs)
    used = {name for node in nodes for name in names_read_by(node)}
    graph = helper.make_graph(
        nodes,
        "network",
        inputs,
        [_described(value, name) for name, value in outputs.items()],
        [numpy_helper.from_array(v, name) for name, v in main.arrays.items() if name in used],
    )
    return helper.make_model(
        graph,
        functions=[step.proto],
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)],
        ir_version=IR_VERSION,
    )
