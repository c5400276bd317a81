"""How a network lies in a Program's file: the header's keys and the arrays' names, version 7.

The target's values stand beside the network's. A projection is filed under "synapses", and time
steps under "steps", as they were called when the version was fixed.
"""

from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from stochi.errors import ProgramError, first_line
from stochi.program.archive import (
    Arrays,
    Format,
    Header,
    build,
    check_all_used,
    describe,
    read_archive,
    write_archive,
)
from stochi.program.layers import (
    Convolution,
    Decay,
    Dense,
    Flatten,
    Generator,
    Layer,
    OneToOne,
    Projection,
    SumPool,
)
from stochi.program.network import Network
from stochi.program.target import Target
from stochi.program.wording import shown

PROGRAM_FILE = Format(
    "stochi-program", "Program", made_by="stochi deploy", version=7, readable=(3, 4, 5, 6, 7)
)
_STAGES: dict[str, type] = {c.__name__: c for c in (Dense, Convolution, OneToOne, SumPool, Flatten)}
_TARGET_NAMES = {"time_steps": "steps"}
AnyNetwork = TypeVar("AnyNetwork", bound=Network)


def write_network(network: Network, path: str | Path) -> None:
    """Write a network as a Program's file, aside and then into place."""
    arrays: Arrays = {}
    header = {
        **describe(network.target, "target", arrays, names=_TARGET_NAMES),
        **describe(network, "program", arrays, leave_out=("target", "layers")),
        "layers": [
            _describe_layer(layer, f"layer{i}", arrays) for i, layer in enumerate(network.layers)
        ],
    }
    write_archive(path, PROGRAM_FILE, header, arrays)


def read_network(kind: type[AnyNetwork], path: str | Path) -> AnyNetwork:
    """Read a Program's file as a network of that kind.

    Raises:
        ProgramError: the file is missing, foreign, newer or damaged, or ``kind`` refuses what it
            holds.
    """
    header, arrays = read_archive(path, PROGRAM_FILE)
    try:
        _bring_up_to_date(header)
        check_all_used(header, arrays)
        names = [_TARGET_NAMES.get(field.name, field.name) for field in fields(Target)]
        target = build(Target, {name: header.pop(name) for name in names}, arrays, _TARGET_NAMES)
        layers = tuple(_build_layer(layer, arrays) for layer in header.pop("layers"))
        del header["format"], header["version"]
        network: AnyNetwork = build(kind, header, arrays, target=target, layers=layers)
        return network
    except ProgramError as error:
        raise ProgramError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ProgramError(f"{path}: the Program is incomplete ({first_line(error)})") from error


def _bring_up_to_date(header: Header) -> None:
    """Add what earlier versions did not know to a header."""
    if header["version"] < 4:
        header["random_source"] = "philox"
    if header["version"] < 5:
        for layer in header["layers"]:
            subtract = layer.pop("subtract")
            if type(subtract) is not bool:
                raise ValueError(f"subtract is {shown(subtract)}; it must be true or false")
            layer["reset"] = "subtract" if subtract else "zero"
            layer["reset_delay"] = layer["reset_current"] = False
    if header["version"] < 6:
        header["over_time"] = "mean"
    if header["version"] < 7 and any(layer.get("generator") for layer in header["layers"]):
        raise ProgramError(
            "its noise was fitted to the stock generator of file versions before 7, whose small"
            " exponents rounded toward zero and whose mean was 0; lower the graph again with this"
            " version"
        )


def _describe_layer(layer: Layer, prefix: str, arrays: Arrays) -> Header:
    described = describe(layer, prefix, arrays, leave_out=("projections", "decay", "generator"))
    described["synapses"] = [
        _describe_projection(projection, f"{prefix}.synapses{i}", arrays)
        for i, projection in enumerate(layer.projections)
    ]
    described["decay"] = describe(layer.decay, f"{prefix}.decay", arrays)
    if layer.generator is not None:
        described["generator"] = describe(layer.generator, f"{prefix}.generator", arrays)
    return described


def _describe_projection(projection: Projection, prefix: str, arrays: Arrays) -> Header:
    described = describe(projection, prefix, arrays, leave_out=("stages",))
    described["stages"] = [
        {"kind": type(stage).__name__, **describe(stage, f"{prefix}.stage{i}", arrays)}
        for i, stage in enumerate(projection.stages)
    ]
    return described


def _build_layer(header: Header, arrays: Arrays) -> Layer:
    generator = header.pop("generator", None)
    projections = tuple(_build_projection(each, arrays) for each in header.pop("synapses"))
    layer: Layer = build(
        Layer,
        header,
        arrays,
        projections=projections,
        decay=build(Decay, header.pop("decay"), arrays),
        generator=None if generator is None else build(Generator, generator, arrays),
    )
    return layer


def _build_projection(header: Header, arrays: Arrays) -> Projection:
    stages: tuple[Any, ...] = tuple(
        build(_STAGES[stage.pop("kind")], stage, arrays) for stage in header.pop("stages")
    )
    projection: Projection = build(Projection, header, arrays, stages=stages)
    return projection
