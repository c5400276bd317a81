"""Files whose header or arrays ask for what no engine can do, under a right checksum."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.fuzz.programs.parts import Parts, Place

Change = Callable[[Parts], None]
_FEW = (-1, 10**400, 2.5, True, "1", None, [1, 1])


def write_hostile(folder: Path, examples: dict[str, Path]) -> dict[str, Path]:
    """Write the files; what each one tries → its path."""
    found = {}
    for what, (example, change) in {**_each_field(examples), **BY_HAND}.items():
        parts = Parts(examples[example])
        change(parts)
        if what != "an array that nothing uses":
            parts.prune()
        found[what] = folder / f"hostile{len(found)}.program"
        parts.write(found[what])
    return found


def _each_field(examples: dict[str, Path]) -> dict[str, tuple[str, Change]]:
    """Put each of some values in the place of each field, at its first place in any example."""
    found: dict[str, tuple[str, Change]] = {}
    seen = set()
    for example, path in examples.items():
        parts = Parts(path)
        for place in parts.places():
            field = tuple(key for key in place if isinstance(key, str))
            if field in seen or isinstance(place[-1], int):
                continue
            seen.add(field)
            for value in _FEW:
                name = f"{'.'.join(field)}: {str(value)[:12]!r} in {example}"
                found[name] = (example, _putting(place, value))
    return found


def _putting(place: Place, value: Any) -> Change:
    return lambda parts: parts.set(place, copy.deepcopy(value))


def _layer(**fields: Any) -> Change:
    return lambda parts: parts.header["layers"][0].update(fields)


def _stage(number: int, **fields: Any) -> Change:
    """Change a stage of the first projection of the first layer."""
    return _putting_into(("layers", 0, "synapses", 0, "stages", number), **fields)


def _putting_into(place: Place, **fields: Any) -> Change:
    return lambda parts: parts.get(place).update(fields)


def _array(name: str, values: Any) -> Change:
    def change(parts: Parts) -> None:
        assert name in parts.arrays
        parts.arrays[name] = np.asarray(values)

    return change


def _together(*changes: Change) -> Change:
    def change(parts: Parts) -> None:
        for each in changes:
            each(parts)

    return change


def _text(text: Callable[[str], str]) -> Change:
    def change(parts: Parts) -> None:
        parts.text = text(json.dumps(parts.header))

    return change


def _pools(count: int, side: int) -> list[dict[str, Any]]:
    """Return poolings that keep the size of a map, if the side of their windows is odd."""
    pool = {"kind": "SumPool", "kernel": [side] * 2, "stride": [1, 1], "padding": [side // 2] * 2}
    return [dict(pool) for _ in range(count)]


def _pooled(*pools: dict[str, Any]) -> Change:
    """Put poolings in front of the first projection's stages."""

    def change(parts: Parts) -> None:
        stages = parts.header["layers"][0]["synapses"][0]["stages"]
        stages[:0] = pools

    return change


def _many_layers(count: int) -> Change:
    def change(parts: Parts) -> None:
        first = parts.header["layers"][0]
        more = [{**copy.deepcopy(first), "name": f"n{n}"} for n in range(count)]
        parts.header["layers"] += more

    return change


def _one_neuron(size: int) -> Change:
    """Make the Program of one neuron one of so many, with weights that broadcast."""
    return _together(
        _putting(("input_shape",), [size]),
        _layer(shape=[size]),
        _stage(0, kind="OneToOne"),
        _array("layer0.synapses0.stage0.weight", np.array(3, np.int16)),
        _array("layer0.threshold_mantissa", np.array(3, np.int32)),
        _array("layer0.bias_mantissa", np.array([0], np.int16)),
    )


def _no_sums(parts: Parts) -> None:
    """Set the first weights to 0, so that no bound of sums is broken."""
    parts.arrays[_WEIGHT] = np.zeros_like(parts.arrays[_WEIGHT])


def _map(side: int, kernel: int) -> Change:
    """Make the Program of one neuron a convolution of a square map."""
    return _together(
        _putting(("input_shape",), [1, side, side]),
        _layer(shape=[1, side, side]),
        _stage(
            0,
            kind="Convolution",
            stride=[1, 1],
            padding=[kernel // 2] * 2,
            dilation=[1, 1],
            groups=1,
        ),
        _array("layer0.synapses0.stage0.weight", np.ones((1, 1, kernel, kernel), np.int16)),
        _array("layer0.threshold_mantissa", np.array(3, np.int32)),
        _array("layer0.bias_mantissa", np.array([0], np.int16)),
    )


_WEIGHT, _DELAY = "layer0.synapses0.stage0.weight", "layer0.synapses0.delay"
BY_HAND: dict[str, tuple[str, Change]] = {
    "negative strides": ("images", _stage(0, stride=[-1, -1])),
    "one negative stride": ("lines", _stage(0, stride=[1, -2])),
    "a kernel larger than its map with stride -1": (
        "images",
        _together(_stage(0, stride=[-1, -1]), _array(_WEIGHT, np.zeros((4, 2, 30, 30), np.int16))),
    ),
    "padding below 0": ("images", _stage(0, padding=[-3, -3])),
    "padding of 2^40": ("images", _stage(0, padding=[2**40, 2**40])),
    "padding of 2^30": ("images", _stage(0, padding=[2**30, 2**30])),
    "dilation of 0": ("images", _stage(0, dilation=[0, 0])),
    "dilation below 0": ("images", _stage(0, dilation=[-2, -2])),
    "dilation of 2^62": ("images", _stage(0, dilation=[2**62, 2**62])),
    "no groups": ("images", _stage(0, groups=0)),
    "negative groups": ("images", _stage(0, groups=-2)),
    "groups that do not divide": (
        "images",
        _together(_stage(0, groups=2), _array(_WEIGHT, np.zeros((5, 1, 3, 3), np.int16))),
    ),
    "strides of 0": ("images", _stage(0, stride=[0, 0])),
    "windows of 2^16 by 2^16": ("events", _pooled(*_pools(1, 2**16 + 1))),
    "windows of 2^16 by 2^16 on weights of 0": (
        "events",
        _together(_pooled(*_pools(1, 2**16 + 1)), _no_sums),
    ),
    "two windows of 2^15 by 2^15 on weights of 0": (
        "events",
        _together(_pooled(*_pools(2, 2**15 + 1)), _no_sums),
    ),
    "windows of 21 by 21 on weights of 0": (
        "events",
        _together(_pooled(*_pools(1, 21)), _no_sums),
    ),
    "windows with stride -1": (
        "events",
        _pooled({"kind": "SumPool", "kernel": [9, 9], "stride": [-1, -1], "padding": [0, 0]}),
    ),
    "windows with stride 0": (
        "events",
        _pooled({"kind": "SumPool", "kernel": [2, 2], "stride": [0, 0], "padding": [0, 0]}),
    ),
    "windows of nothing": (
        "events",
        _pooled({"kind": "SumPool", "kernel": [0, 0], "stride": [1, 1], "padding": [0, 0]}),
    ),
    "windows below nothing": (
        "events",
        _pooled({"kind": "SumPool", "kernel": [-2, -2], "stride": [1, 1], "padding": [-1, -1]}),
    ),
    "a hundred windows of 1,001": ("events", _pooled(*_pools(100, 1001))),
    "a hundred windows of 1,001 on weights of 0": (
        "events",
        _together(_pooled(*_pools(100, 1001)), _no_sums),
    ),
    "two small windows on weights of 0": (
        "events",
        _together(_pooled(*_pools(2, 3)), _no_sums),
    ),
    "windows beyond floats": ("events", _pooled(*_pools(400, 1001))),
    "a thousand stages": ("events", _pooled(*[{"kind": "Flatten"}] * 1000)),
    "flattened twice": ("events", _stage(1, kind="Flatten")),
    "delays that wrap at 32 bits": ("delayed", _array(_DELAY, np.full((2, 3, 3), 2**32 + 1))),
    "a delay of 2^31": ("delayed", _array("layer1.synapses0.delay", np.array(2**31))),
    "a delay of 2^31 - 1": ("delayed", _array("layer1.synapses0.delay", np.array(2**31 - 1))),
    "a history of 25 GB": ("delayed", _array("layer1.synapses0.delay", np.array(1_400_000_000))),
    "a history of 400 MB": ("delayed", _array("layer1.synapses0.delay", np.array(23_000_000))),
    "a delay below 0": ("delayed", _array(_DELAY, np.full((2, 3, 3), -1))),
    "a delay longer than the sample": ("delayed", _array(_DELAY, np.full((2, 3, 3), 50))),
    "recurrence without delay": ("delayed", _array("layer0.synapses1.delay", np.array(0))),
    "10^18 time steps": ("one", _putting(("steps",), 10**18)),
    "10^9 time steps": ("one", _putting(("steps",), 10**9)),
    "3,000 time steps": ("one", _putting(("steps",), 3000)),
    "a time step of 0": ("one", _putting(("dt",), 0.0)),
    "a million neurons": ("one", _one_neuron(10**6)),
    "ten million neurons": ("one", _one_neuron(10**7)),
    "200,000 neurons": ("one", _one_neuron(200_000)),
    "a map of 200 by 200": ("one", _map(200, 3)),
    "a map of 10,000 by 10,000": ("one", _map(10_000, 3)),
    "a kernel of 601 by 601": ("one", _map(2, 601)),
    "a kernel of 301 by 301": ("one", _map(300, 301)),
    "2^31 neurons": ("one", _one_neuron(2**31)),
    "10^18 neurons": ("one", _one_neuron(10**18)),
    "an input of 2^31 - 1 that nothing takes": (
        "one",
        _together(_putting(("input_shape",), [2**31 - 1]), _layer(synapses=[])),
    ),
    "an input of no size": ("one", _putting(("input_shape",), [])),
    "an input of 40 dimensions": ("one", _putting(("input_shape",), [1] * 40)),
    "a flag of 0.5": ("images", _putting_into(("layers", 0, "decay"), drawn=0.5)),
    "a flag of 1": ("images", _putting_into(("layers", 0, "decay"), redraw=1)),
    "a reset delay of 0.5": ("delayed", _layer(reset_delay=0.5)),
    "a refractory period of 2.5": ("delayed", _layer(refractory=2.5)),
    "a scale below 0": ("images", _layer(scale=-1.0)),
    "a scale too small for a float": ("currents", _layer(scale=1e-320)),
    "a factor of NaN": ("images", _layer(threshold_factor=float("nan"))),
    "decays of NaN": ("currents", _array("layer0.decay.values", np.full((2, 2, 2), np.nan))),
    "decays beyond unity": ("currents", _array("layer0.decay.values", np.full((2, 2, 2), 4097))),
    "decays in the other byte order": (
        "currents",
        _array("layer0.decay.values", np.full((2, 2, 2), 9, ">i8")),
    ),
    "weights in the other byte order": ("one", _array(_WEIGHT, np.array([[2]], ">i2"))),
    "weights of halves": ("one", _array(_WEIGHT, np.array([[0.5]]))),
    "weights of true": ("one", _array(_WEIGHT, np.array([[True]]))),
    "weights without a sign": ("one", _array(_WEIGHT, np.array([[2]], np.uint16))),
    "no weights": ("one", _array(_WEIGHT, np.zeros((1, 0), np.int16))),
    "weights of one dimension": ("one", _array(_WEIGHT, np.zeros(1, np.int16))),
    "weights in columns": (
        "events",
        _array(_WEIGHT, np.asfortranarray(np.ones((3, 2, 3, 3), np.int16))),
    ),
    "a table of 3 decays": ("images", _array("layer0.decay.values", np.zeros(3, np.int64))),
    "no decays": ("images", _array("layer0.decay.values", np.zeros(0, np.int64))),
    "sums beyond 24 bits": (
        "images",
        _putting_into(("layers", 0, "synapses", 0), weight_exponent=7),
    ),
    "an exponent of 10^6": (
        "images",
        _putting_into(("layers", 0, "synapses", 0), weight_exponent=10**6),
    ),
    "a source that is no layer": (
        "images",
        _putting_into(("layers", 1, "synapses", 0), source="z"),
    ),
    "a layer named input": ("images", _layer(name="input")),
    "a layer without a name": ("images", _layer(name="")),
    "a name of a megabyte": ("images", _layer(name="a" * 10**6)),
    "a name of control characters": (
        "one",
        _together(_layer(name="a\x1b[2J\n\u202e"), _putting(("output",), "a\x1b[2J\n\u202e")),
    ),
    "a name of half a character": (
        "one",
        _together(_layer(name="\ud800"), _putting(("output",), "\ud800")),
    ),
    "an output of control characters": ("one", _putting(("output",), "\x1b[2J\n\u202e")),
    "names of markup that do not fit": ("images", _layer(name="[red]<script>\x07")),
    "no layers": ("one", _putting(("layers",), [])),
    "a layer twice": ("one", _many_layers(0)),
    "three hundred layers": ("one", _many_layers(300)),
    "three thousand layers": ("one", _many_layers(3000)),
    "deep JSON": ("one", _text(lambda text: "[" * 100_000 + "]" * 100_000)),
    "deeper JSON": ("one", _text(lambda text: '{"a":' * 2_000_000 + "1" + "}" * 2_000_000)),
    "a billion laughs": ("one", _text(lambda text: '{"a":[' + ",".join(["[0]"] * 10**6) + "]}")),
    "JSON of 20 MB": ("one", _text(lambda text: text[:-1] + ', "a": [' + "0," * 10**7 + "0]}")),
    "a number of a million digits": (
        "one",
        _text(lambda text: text[:-1] + ', "a": ' + "9" * 10**6 + "}"),
    ),
    "NaN in JSON": ("one", _text(lambda text: text.replace("3.5", "NaN"))),
    "infinity in JSON": ("one", _text(lambda text: text.replace("3.5", "1e999"))),
    "a key twice": ("one", _text(lambda text: text[:-1] + ', "steps": 2}')),
    "no JSON": ("one", _text(lambda text: text[:-1])),
    "JSON that is a list": ("one", _text(lambda text: "[]")),
    "JSON that is a number": ("one", _text(lambda text: "7")),
    "a version of 7.0": ("one", _putting(("version",), 7.0)),
    "a version of 3": ("one", _putting(("version",), 3)),
    "a version of 8": ("one", _putting(("version",), 8)),
    "another format": ("one", _putting(("format",), "stochi-event-pattern")),
    "a field that is not known": ("one", _layer(extra=1)),
    "an array that nothing uses": ("one", lambda parts: parts.arrays.update(extra=np.zeros(3))),
    "an array that is the header": ("one", _layer(threshold_mantissa={"array": "header"})),
    "one array for everything": (
        "images",
        _together(
            *(
                _putting_into(("layers", n), bias_mantissa={"array": "layer0.decay.values"})
                for n in range(3)
            )
        ),
    ),
}
"""What a file tries → the example that it changes, and how."""
