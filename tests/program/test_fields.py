"""A Program's fields: the type, kind and range of each, in a file or in Python."""

import time
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch

from stochi.errors import ProgramError
from stochi.program.fields import FIELDS, MOST_DIMENSIONS, shown
from stochi.program.layers import Dense, Flatten, Layer, SumPool
from stochi.program.program import Program
from stochi.sim import run
from tests.fuzz.programs.examples import make_programs

PROGRAMS = make_programs()


class Evil:
    """A value that cannot even be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


VALUES: dict[str, Any] = {
    "True": True,
    "1": 1,
    "-1": -1,
    "half": 0.5,
    "2.5": 2.5,
    "NaN": float("nan"),
    "infinity": float("inf"),
    "2^31": 2**31,
    "400 digits": 10**400,
    "10,000 digits": 10**10_000,
    "int64": np.int64(3),
    "float32": np.float32(3),
    "bool_": np.bool_(True),
    "None": None,
    "text": "1",
    "bytes": b"a",
    "list": [1, 1],
    "tuple": (1, 1),
    "tuple of halves": (0.5, 0.5),
    "tuple of 0": (0, 0),
    "no tuple": (),
    "array of float": np.array([1.0]),
    "array of NaN": np.full((3, 3), np.nan),
    "array of bool": np.array([True]),
    "array of text": np.array(["a"]),
    "array of objects": np.array([None]),
    "empty array": np.zeros(0, np.int16),
    "array in the other byte order": np.zeros(1, ">i4"),
    "array of uint8": np.zeros(1, np.uint8),
    "array of many dimensions": np.zeros((1,) * 12, np.int16),
    "masked array": np.ma.masked_array(np.zeros(1, np.int16)),
    "tensor": torch.ones(1),
    "Evil": Evil(),
    "tuple of Evil": (Evil(),),
    "layer": PROGRAMS["one"].layers[0],
    "stage": Flatten(),
}


def parts(part: Any) -> Iterator[Any]:
    """Yield a Program and every part of it."""
    yield part
    for field in fields(part):
        value = getattr(part, field.name)
        for inner in value if isinstance(value, tuple) else (value,):
            if is_dataclass(inner):
                yield from parts(inner)


def with_other(part: Any, old: Any, new: Any) -> Any:
    """Return a part in which one of its parts is another."""
    if part is old:
        return new
    changed = {}
    for field in fields(part):
        value = getattr(part, field.name)
        if isinstance(value, tuple) and any(map(is_dataclass, value)):
            changed[field.name] = tuple(with_other(each, old, new) for each in value)
        elif is_dataclass(value):
            changed[field.name] = with_other(value, old, new)
    return replace(part, **changed) if changed else part


def test_every_field_of_every_part_is_in_the_table() -> None:
    for kind, demands in FIELDS.items():
        assert set(demands) == {field.name for field in fields(kind)}
    for program in PROGRAMS.values():
        assert all(any(isinstance(p, kind) for kind in FIELDS) for p in parts(program))


@pytest.mark.parametrize("name", ["images", "delayed"])
def test_no_value_of_any_field_ends_in_a_traceback(name: str) -> None:
    program, refused, accepted = PROGRAMS[name], 0, 0
    for part in parts(program):
        for field in fields(part):
            for value in VALUES.values():
                try:
                    changed = replace(part, **{field.name: value})
                    made = with_other(program, part, changed)
                except ProgramError as error:
                    message = str(error)
                    assert message and "\n" not in message and len(message) < 2500
                    refused += 1
                else:
                    assert isinstance(made, Program)
                    accepted += 1
    assert refused > 1000 and accepted > 10


def hidden(**changed: Any) -> Program:
    one = PROGRAMS["one"]
    return replace(one, layers=(replace(one.layers[0], **changed),))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"reset_delay": 0.5}, "layer 'a': reset_delay is 0.5; it must be True or False"),
        ({"reset_delay": 1}, "reset_delay is 1; it must be True or False"),
        ({"refractory": 2.5}, "refractory is 2.5; it must be a whole number"),
        ({"refractory": True}, "refractory is True; it must be a whole number"),
        ({"refractory": np.int64(1)}, r"refractory is np.int64\(1\); it must be a whole number"),
        ({"scale": -1.0}, "scale is -1.0; it must be a positive number"),
        ({"scale": 0.0}, "scale is 0.0"),
        ({"scale": float("nan")}, "scale is nan"),
        ({"scale": 1e-320}, "scale is 1e-320"),
        ({"scale": 10**400}, "scale is a number of 1329 bits"),
        ({"threshold_factor": float("inf")}, "threshold_factor is inf"),
        ({"threshold_factor": 0}, "threshold_factor is 0"),
        ({"shape": [1]}, r"shape is \[1\]; it must be a tuple"),
        ({"shape": (1.0,)}, r"shape is \(1.0,\)"),
        ({"shape": ()}, r"shape is \(\)"),
        ({"name": ""}, "layer 0: name is ''"),
        ({"name": "\ud800"}, "name is '.ud800'"),
        ({"name": "a" * 1001}, "name is 'a{59}…"),
        ({"threshold_mantissa": np.array([1.5])}, "threshold_mantissa is an array of float64"),
        ({"threshold_mantissa": np.array([1], ">i4")}, "array of >i4.*byte order"),
        ({"threshold_mantissa": np.array([1], np.uint32)}, "array of uint32"),
        ({"threshold_mantissa": 3}, "threshold_mantissa is 3; .* or None"),
        ({"bias_mantissa": np.zeros(0, np.int16)}, "bias_mantissa is .*not empty"),
        ({"scale": -1.0, "refractory": 0.5}, "scale is -1.0.*; layer 'a': refractory is 0.5"),
    ],
)
def test_what_is_wrong_is_said(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(ProgramError, match=says):
        hidden(**changed)


def test_a_name_of_control_characters_is_escaped() -> None:
    name = "a\x1b[2J\n\u202e"
    layer = replace(PROGRAMS["one"].layers[0], name=name)
    program = replace(PROGRAMS["one"], layers=(layer,), output=name)
    assert repr(program).isprintable()
    with pytest.raises(ProgramError) as caught:
        replace(program, output="b")
    assert str(caught.value).isprintable()


def test_only_so_many_problems_are_told() -> None:
    layer = replace(PROGRAMS["one"].layers[0], scale=0.0)
    with pytest.raises(ProgramError, match=r"; and 3 more$") as caught:
        replace(PROGRAMS["one"], layers=(layer,) * 8)
    assert str(caught.value).count("scale is 0.0") == 5


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_every_value_is_shown_on_one_short_line(value: Any) -> None:
    assert 0 < len(shown(value)) < 120 and shown(value).isprintable()


def test_arrays_in_any_order_of_memory_give_the_same_answer() -> None:
    """Numpy may hold an array transposed or backwards."""
    program = PROGRAMS["delayed"]
    images = torch.rand(3, *program.input_shape).round()

    def reordered(array: np.ndarray) -> np.ndarray:
        whole = np.array(np.flip(array))
        return np.flip(whole) if array.ndim else array

    def change(part: Any) -> Any:
        changed: dict[str, Any] = {}
        for field in fields(part):
            value = getattr(part, field.name)
            if isinstance(value, np.ndarray):
                changed[field.name] = reordered(value)
            elif isinstance(value, tuple) and any(map(is_dataclass, value)):
                changed[field.name] = tuple(map(change, value))
            elif is_dataclass(value):
                changed[field.name] = change(value)
        return replace(part, **changed)

    backwards = change(program)
    assert any(stride < 0 for stride in backwards.layers[0].bias_mantissa.strides)
    for shown_images in (images, images.expand(6, 3, 2, 3, 3)):
        assert torch.equal(run(backwards, shown_images).logits, run(program, shown_images).logits)


def test_a_pooling_is_no_larger_than_the_map_that_it_pads() -> None:
    program = PROGRAMS["events"]
    layer = program.layers[0]
    weight = layer.projections[0].stages[0]
    for pool in (SumPool((7, 1), (1, 1), (0, 0)), SumPool((9, 9), (1, 1), (1, 1))):
        stages = (weight, pool)
        first = replace(layer, projections=(replace(layer.projections[0], stages=stages),))
        with pytest.raises(ProgramError, match="SumPool does not fit an input of shape"):
            replace(program, layers=(first, program.layers[1]))


def test_checking_takes_little_beside_the_weights() -> None:
    """Calibrations and ablations construct Programs by the hundred."""
    program = PROGRAMS["images"]
    start = time.perf_counter()
    for _ in range(20):
        replace(program, over_time="last")
    assert (time.perf_counter() - start) / 20 < 0.05


def test_the_largest_number_of_dimensions_fits() -> None:
    shape = (1,) * (MOST_DIMENSIONS - 1) + (2,)
    one = PROGRAMS["one"]
    projection = one.layers[0].projections[0]
    dense = Dense(np.array([[3, 4]], np.int16))
    layer: Layer = replace(
        one.layers[0], projections=(replace(projection, stages=(Flatten(), dense)),)
    )
    program = replace(one, input_shape=shape, layers=(layer,))
    assert run(program, torch.ones(2, *shape)).logits.shape == (2, 1)
