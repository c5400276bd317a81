"""The Program's file: a numpy archive of arrays and one JSON header, with a checksum.

Nothing is unpickled. The header names the format and its version and describes every layer;
arrays are stored beside it, named ``layer.field``. The SHA-256 covers header and arrays.
"""

import hashlib
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from stochi.deploy.program import (
    Convolution,
    Decay,
    Dense,
    Flatten,
    Generator,
    Layer,
    OneToOne,
    Program,
    Stage,
    SumPool,
    Synapses,
)
from stochi.errors import ProgramError
from stochi.files import what_is_missing, written_aside

FORMAT = "stochi-program"
VERSION = 4
_READABLE = (3, VERSION)
_STAGES: dict[str, type] = {c.__name__: c for c in (Dense, Convolution, OneToOne, SumPool, Flatten)}
_HEADER, _CHECKSUM = "header", "sha256"


def save_program(program: Program, path: str | Path) -> None:
    """Write, aside and then into place."""
    arrays: dict[str, np.ndarray] = {}
    header = {
        "format": FORMAT,
        "version": VERSION,
        **_describe(program, "program", arrays, leave_out=("layers",)),
        "layers": [
            _describe_layer(layer, f"layer{i}", arrays) for i, layer in enumerate(program.layers)
        ],
    }
    text = json.dumps(header, sort_keys=True).encode()
    arrays[_HEADER] = np.frombuffer(text, np.uint8)
    arrays[_CHECKSUM] = np.frombuffer(_checksum(arrays), np.uint8)
    with written_aside(path) as aside, aside.open("wb") as file:
        np.savez_compressed(file, **arrays)


def load_program(path: str | Path) -> Program:
    """Read; see :meth:`Program.load`."""
    source = Path(path)
    if not source.is_file():
        raise ProgramError(f"{source}: {what_is_missing(source)}; 'stochi deploy' writes a Program")
    try:
        with np.load(source, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        stored = arrays.pop(_CHECKSUM).tobytes()
        header = json.loads(arrays[_HEADER].tobytes())
        known = header.get("format") == FORMAT
    except Exception as error:  # numpy, zipfile, zlib and json raise many kinds
        raise ProgramError(
            f"{source}: not a Stochi Program, or a damaged one; write it again with 'stochi deploy'"
        ) from error
    if not known:
        raise ProgramError(f"{source}: not a Stochi Program")
    version = header.get("version")
    if version not in _READABLE:
        raise ProgramError(
            f"{source}: Program version {version}, this Stochi reads"
            f" {' and '.join(map(str, _READABLE))}; lower the graph again with this version"
        )
    if stored != _checksum(arrays):
        raise ProgramError(f"{source}: the checksum does not match; the file is damaged")
    if version == 3:  # when there was no other source
        header["random_source"] = "philox"
    try:
        layers = tuple(_read_layer(layer, arrays) for layer in header["layers"])
        return Program(layers=layers, **_read(Program, header, arrays, leave_out=("layers",)))
    except ProgramError as error:
        raise ProgramError(f"{source}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ProgramError(f"{source}: the Program is incomplete ({error})") from error


def _checksum(arrays: dict[str, np.ndarray]) -> bytes:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape};".encode())
        digest.update(array.tobytes())
    return digest.digest()


def _describe(
    thing: Any, prefix: str, arrays: dict[str, np.ndarray], leave_out: tuple[str, ...] = ()
) -> dict[str, Any]:
    """A dataclass's plain values; its arrays go to ``arrays`` and are named here."""
    described: dict[str, Any] = {}
    for field in fields(thing):
        if field.name in leave_out:
            continue
        value = getattr(thing, field.name)
        if isinstance(value, np.ndarray):
            arrays[f"{prefix}.{field.name}"] = value
            value = {"array": f"{prefix}.{field.name}"}
        described[field.name] = value
    return described


def _read(
    kind: Any,
    described: dict[str, Any],
    arrays: dict[str, np.ndarray],
    leave_out: tuple[str, ...] = (),
) -> dict[str, Any]:
    values = {}
    for field in fields(kind):
        if field.name in leave_out:
            continue
        value = described[field.name]
        if isinstance(value, dict):
            value = arrays[value["array"]]
        values[field.name] = tuple(value) if isinstance(value, list) else value
    return values


def _describe_layer(layer: Layer, prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    described = _describe(layer, prefix, arrays, leave_out=("synapses", "decay", "generator"))
    described["synapses"] = [
        _describe_synapses(synapses, f"{prefix}.synapses{i}", arrays)
        for i, synapses in enumerate(layer.synapses)
    ]
    described["decay"] = _describe(layer.decay, f"{prefix}.decay", arrays)
    if layer.generator is not None:
        described["generator"] = _describe(layer.generator, f"{prefix}.generator", arrays)
    return described


def _describe_synapses(
    synapses: Synapses, prefix: str, arrays: dict[str, np.ndarray]
) -> dict[str, Any]:
    described = _describe(synapses, prefix, arrays, leave_out=("stages",))
    described["stages"] = [
        {"kind": type(stage).__name__, **_describe(stage, f"{prefix}.stage{i}", arrays)}
        for i, stage in enumerate(synapses.stages)
    ]
    return described


def _read_layer(described: dict[str, Any], arrays: dict[str, np.ndarray]) -> Layer:
    generator = described.get("generator")
    return Layer(
        synapses=tuple(_read_synapses(synapses, arrays) for synapses in described["synapses"]),
        decay=Decay(**_read(Decay, described["decay"], arrays)),
        generator=None if generator is None else Generator(**_read(Generator, generator, arrays)),
        **_read(Layer, described, arrays, ("synapses", "decay", "generator")),
    )


def _read_synapses(described: dict[str, Any], arrays: dict[str, np.ndarray]) -> Synapses:
    stages: tuple[Stage, ...] = tuple(
        _STAGES[stage["kind"]](**_read(_STAGES[stage["kind"]], stage, arrays))
        for stage in described["stages"]
    )
    return Synapses(stages=stages, **_read(Synapses, described, arrays, ("stages",)))
