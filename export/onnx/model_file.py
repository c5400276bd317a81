"""A network as an ONNX model, and the random numbers that such a model takes."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import nir
import numpy as np
import torch

from stochi.arguments import check_argument, check_arguments
from stochi.errors import ExportError, InputError, check_at_least_one
from stochi.export.model.building import from_nir
from stochi.export.model.model import GraphModel
from stochi.files import check_output, what_is_missing, write_whole
from stochi.hardware.draws import Draws
from stochi.packages import VERSION
from stochi.plain_text import escape_surrogates
from stochi.program.program import Program

if TYPE_CHECKING:
    from onnx import ModelProto

    from stochi.export.onnx.stepped import SteppedNetwork

Network: TypeAlias = nir.NIRGraph | GraphModel | Program
DRAWS = ("input", "inside")
LARGEST = 2**31 - 2**20
"""Largest size of a model in bytes: protobuf's 2 GiB, less room for what is not an array."""


def to_onnx(
    network: Network,
    path: str | Path | None = None,
    *,
    draws: str = "inside",
    streams: bool | None = None,
    unrolled: bool = False,
    probes: tuple[str, ...] = (),
    source: str | Path | None = None,
) -> "ModelProto":
    """Write a network over all its time steps as an ONNX model of opset 18.

    A graph, or its torch module, becomes a model in real numbers, a Program one in the chip's
    integers, with the engine's logits to the bit. The time step is a function of the model; a loop
    calls it, or the graph once for each step. The number of samples is free.

    The model takes ``inputs``, float32: images (batch, *shape) in [0, 1], shown at every time step,
    or streams (time steps, batch, *shape). Random numbers are drawn inside, from the whole numbers
    ``seed``, ``trial`` and ``first_sample``, int64 in [0, 2³²), or are inputs named
    ``draws.<layer>.decay`` or ``draws.<layer>.noise``, (time steps, batch, *shape), or (batch,
    *shape) if a draw lasts for all time steps: what :func:`draws_for_onnx` gives. It gives
    ``logits``, for a Program also the integers ``read`` that they come from, and the probes
    ``spikes.<layer>`` and ``membrane.<layer>``, (time steps, batch, *shape).

    Args:
        network: a NIR graph, a module of :func:`from_nir` (with its parameters of now) or a
            Program.
        path: file to write.
        draws: "inside" or "input". A network that is not random takes neither.
        streams: whether the inputs have time steps in front; by default if a Program takes events.
        unrolled: whether the graph calls the step once for each time step, in place of a loop.
        probes: what the model also gives of all layers, "spikes" and "membrane".
        source: the file that the network comes from; its name and SHA-256 are noted.

    Returns:
        The model, checked by onnx, with its origin in ``metadata_props``.

    Raises:
        InputError: an argument is out of range, onnx is not installed, there is no such source, the
            model is larger than protobuf's 2 GiB, or a Program draws inside from "lfsr".
        ExportError: the network has something that has no form in ONNX here, or a number is NaN.
    """
    check_arguments(to_onnx, locals(), besides=("network", "probes"))
    onnx = _import_onnx()
    check_output(path)
    if draws not in DRAWS:
        raise InputError(f"draws is {draws!r}; choose from {', '.join(DRAWS)}")
    from stochi.export.onnx.over_time import write_model

    stepped = stepped_network(network, streams, draws == "inside", probes)
    model = write_model(stepped, unrolled)
    onnx.helper.set_model_props(model, _origin(network, stepped, draws) | _read_from(source))
    model.producer_name, model.producer_version = "stochi", VERSION
    _check_size(model.ByteSize())
    onnx.checker.check_model(model, full_check=True)
    if path is not None:
        write_whole(path, model.SerializeToString())
    return model


def draws_for_onnx(
    network: Network, batch: int, *, seed: int = 0, trial: int = 0, first_sample: int = 0
) -> dict[str, np.ndarray]:
    """Return the draws that a model with ``draws="input"`` takes, by the input's name.

    Those of a Program are the engine's in a run with the same numbers, from its own random source.
    Those of a graph are what its model with ``draws="inside"`` draws, within float rounding.

    Args:
        network: what the model was written from.
        batch: number of samples.
        seed, trial: whole numbers in [0, 2³²) that choose the draws.
        first_sample: number of the batch's first sample.

    Raises:
        InputError: a number is out of range, or onnx is not installed.
    """
    check_arguments(draws_for_onnx, locals(), besides=("network",))
    _import_onnx()
    check_at_least_one(batch=batch)
    stepped = stepped_network(network, None, False, ())
    source = network.target.random_source if isinstance(network, Program) else "philox"
    made = Draws(seed, trial, first_sample, source)
    if first_sample < 0 or first_sample + batch > 2**32:
        raise InputError(f"first_sample is {first_sample}; sample numbers run from 0 to 2^32 - 1")
    found = {}
    for name, drawn in stepped.draws.items():
        steps = range(stepped.time_steps if drawn.each_step else 1)
        drawn_at = [stepped.draw(name, batch, made, step) for step in steps]
        found[name] = np.stack(drawn_at) if drawn.each_step else drawn_at[0]
    return found


def stepped_network(
    network: Network, streams: bool | None, inside: bool, probes: tuple[str, ...]
) -> "SteppedNetwork":
    """Return a network in the form that writes itself into a graph.

    Raises:
        InputError: an argument is out of range.
    """
    from stochi.export.onnx.integer_step import SteppedProgram
    from stochi.export.onnx.real_step import SteppedModel

    check_argument("probes", probes, tuple[str, ...] | str)
    unknown = set(probes) - {"spikes", "membrane"}
    if unknown or isinstance(probes, str):
        raise InputError(f"probes are {probes!r}; give a tuple of 'spikes' and 'membrane'")
    if isinstance(network, Program):
        source = network.target.random_source
        if inside and source != "philox" and network.is_random:
            raise InputError(
                f"this Program draws from {source!r}, which an ONNX graph does not draw inside;"
                " pass draws='input'"
            )
        streams = network.target.events if streams is None else streams
        return SteppedProgram(network, streams, inside, probes)
    if isinstance(network, nir.NIRGraph):
        network = from_nir(network)
    if not isinstance(network, GraphModel):
        raise InputError(
            f"network has type {type(network).__name__}; pass a NIR graph (stochi.export.to_nir"
            " makes one of a torch module), a module of from_nir, or a Program"
        )
    _check_no_nan(network)
    with torch.no_grad():
        return SteppedModel(network, bool(streams), inside, probes)


def _origin(network: Network, stepped: "SteppedNetwork", draws: str) -> dict[str, str]:
    """Return what the model notes of where it comes from."""
    return {
        "stochi": VERSION,
        "form": "integers" if isinstance(network, Program) else "floats",
        "time_steps": str(stepped.time_steps),
        "inputs": "streams" if stepped.streams else "images",
        "draws": draws if stepped.draws else "none",
    }


def _read_from(source: str | Path | None) -> dict[str, str]:
    if source is None:
        return {}
    if not Path(source).is_file():
        raise InputError(f"source {source}: {what_is_missing(Path(source))}")
    digest = hashlib.sha256(Path(source).read_bytes()).hexdigest()
    name = escape_surrogates(Path(source).name)
    return {"source": name, "source_sha256": digest}


def _check_size(size: int) -> None:
    if size > LARGEST:
        raise InputError(
            f"the ONNX model has {size:,} bytes; protobuf holds {LARGEST:,}: export"
            " a Program, whose weights take a byte each, or a smaller network"
        )


def _check_no_nan(model: GraphModel) -> None:
    """Raise ExportError if a number of a module is NaN; thresholds may be infinite."""
    for name, values in (*model.named_parameters(), *model.named_buffers()):
        if bool(values.isnan().any()):
            raise ExportError(f"{name} of the module holds NaN; train again, or repair it")


def _import_onnx() -> Any:
    try:
        import onnx
        import onnx.checker
    except ImportError as error:
        raise InputError(
            f"writing ONNX needs the library onnx ({error}): pip install 'stochi[onnx]'"
        ) from None
    return onnx
