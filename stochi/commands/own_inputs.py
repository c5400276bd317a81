"""A user's own inputs and labels, from files of numpy or torch."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from stochi.budget import check_memory
from stochi.data.array_files import NUMPY, load_arrays
from stochi.errors import InputError
from stochi.tensor_files import TORCH, is_plain, load_tensors

if TYPE_CHECKING:
    import torch

    from stochi.data.samples import Samples
    from stochi.program import Program

INPUTS, STREAMS, LABELS = "inputs", "streams", "labels"
_COPIES = 12
"""Bytes of memory that a number takes while it is brought into the type that is used."""
RANDOM_BATCH = 8
"""Number of random inputs that a network is exported with."""


def read_inputs(path: Path) -> "torch.Tensor":
    """Read inputs, float32, whose numbers are finite.

    Of several arrays in a file, it is the one with the name "inputs" or "streams".

    Raises:
        InputError: the file cannot be read, or holds something else.
    """
    import torch

    values = _pick(path, INPUTS, STREAMS)
    if values.dim() < 2 or not values.numel():
        raise InputError(
            f"{path}: its shape is {tuple(values.shape)}; inputs have a batch in front,"
            " (batch, *shape), and events time steps before that"
        )
    if values.is_floating_point() and not bool(values.isfinite().all()):
        count = int((~values.isfinite()).sum())
        raise InputError(f"{path}: {count} of its values are NaN or infinite; give finite inputs")
    return values.to(torch.float32)


def warn_of_file(path: Path, inputs: "torch.Tensor", by_step: bool) -> None:
    """Warn if the order of a file's inputs is not known; the name "streams" tells it.

    Args:
        inputs: as they are in the file.
        by_step: whether they have time steps.

    Warns:
        AmbiguousOrder: streams have as many samples as time steps.
    """
    from stochi.data.order import warn_of_order

    given = tuple(inputs.shape)
    if by_step and given[0] == given[1] > 1 and STREAMS not in _content(path):
        way_out = f"name the array {STREAMS!r} in a .npz or .pt file"
        warn_of_order(f"{path}: inputs", given, way_out, stacklevel=3)


def read_labels(inputs: Path, labels: Path | None) -> "torch.Tensor | None":
    """Read the labels of inputs: those of their own file, if it has some.

    Args:
        inputs: file of the inputs; an array "labels" in it counts if ``labels`` is None.
        labels: file of the labels.

    Returns:
        (n,) int64 classes, or of a regression float32 in a form of ``stochi.data.samples.Samples``.

    Raises:
        InputError: the file cannot be read, or holds neither.
    """
    if labels is None and LABELS not in _content(inputs):
        return None
    path = labels or inputs
    values = _pick(path, LABELS)
    if values.is_floating_point() and values.dim() in (1, 2, 3) and values.numel():
        if not bool(values.isfinite().all()):
            raise InputError(f"{path}: its labels are not all finite; give finite numbers")
        if not _is_one_hot(values):
            return values.float()
    if values.dim() != 1:
        raise InputError(
            f"{path}: its labels have shape {tuple(values.shape)}; give one whole number for each"
            " input, or floats (batch, outputs), which the network should answer with"
            + ("; of one-hot labels, take the argmax" if values.dim() == 2 else "")
        )
    return values.long()


def read_labelled(
    inputs: Path,
    labels: Path | None,
    count: int | None = None,
    shape: tuple[int, ...] | None = None,
) -> "Samples":
    """Read inputs with their labels, images (batch, *shape) or streams (time steps, batch, *shape).

    Args:
        shape: shape of an input at one time step. If it is not known, the number of labels tells
            which dimension counts the inputs; the first one does if both have that size.
        count: number of inputs, from the front; None: all.

    Raises:
        InputError: as for :func:`read_inputs` and :func:`read_labels`, there are no labels, or
            another number of them.
    """
    samples = read_samples(inputs, labels, shape)
    if samples is None:
        raise InputError(f"accuracy needs the labels of {inputs}; give --labels FILE")
    return samples if count is None else samples.first(count)


def read_samples(
    inputs: Path,
    labels: Path | None,
    shape: tuple[int, ...] | None = None,
    time_steps: int | None = None,
) -> "Samples | None":
    """Read inputs as :func:`read_labelled` does; None if there are no labels.

    Args:
        time_steps: of a sample, if that is known.
    """
    from stochi.data import Images, Streams

    found = read_labels(inputs, labels)
    if found is None:
        return None
    shown = read_inputs(inputs)
    given = tuple(shown.shape)
    if shape is not None:
        by_step = len(given) == len(shape) + 2
        if given[1 + by_step :] != shape:
            sizes = ", ".join(map(str, shape))
            raise InputError(
                f"{inputs}: inputs have shape {given}; they must be (batch, {sizes}), the same at"
                f" every time step, or (time steps, batch, {sizes})"
            )
    else:
        count_of = len(Images(shown, found))
        by_step = len(given) > 2 and given[0] != count_of == given[1]
    samples = (Streams if by_step else Images)(shown, found)
    _check_order(samples, inputs, labels, time_steps)
    return samples


def read_program_inputs(
    program: "Program", inputs: Path, labels: Path | None, count: int | None
) -> "tuple[torch.Tensor, Samples | None]":
    """Read inputs that fit a Program, and the same with labels if there are some.

    Args:
        count: number of samples, from the front; None: all.

    Raises:
        InputError: a file cannot be read, or does not fit the Program.
    """
    from stochi.sim.inputs import check_inputs
    from stochi.sim.labelled import check_data

    samples = read_samples(inputs, labels, program.input_shape, program.target.time_steps)
    if samples is not None:
        samples = samples if count is None else samples.first(count)
        if samples.labels.dim() == 3 and program.over_time == "last":
            raise InputError(
                f"{labels or inputs}: the labels are for every time step, and this Program answers"
                " with its last one; give labels (batch, outputs)"
            )
        try:
            check_data(program, samples)
        except InputError as error:
            raise InputError(f"{inputs}: {error}") from error
        return samples.inputs, samples
    shown = read_inputs(inputs)
    try:
        check_inputs(program, shown)
    except InputError as error:
        raise InputError(f"{inputs}: {error}") from error
    batch = shown.dim() - len(program.input_shape) - 1
    warn_of_file(inputs, shown, bool(batch))
    if count is None:
        return shown, None
    if not 1 <= count <= shown.shape[batch]:
        raise InputError(f"{count} inputs were asked for; ask for 1 to {shown.shape[batch]}")
    return shown.narrow(batch, 0, count), None


def _check_order(
    samples: "Samples", inputs: Path, labels: Path | None, time_steps: int | None
) -> None:
    """Raise InputError unless inputs and labels count the same samples in the same order.

    Warns:
        AmbiguousOrder: streams have as many samples as time steps.
    """
    given, held = tuple(samples.inputs.shape), samples.inputs.shape[samples.batch_dim]
    of_labels, by_step = tuple(samples.labels.shape), samples.batch_dim == 1
    if len(samples) == held:
        warn_of_file(inputs, samples.inputs, by_step)
        return
    if len(of_labels) == 3 and of_labels[0] == held and time_steps in (None, of_labels[1]):
        raise InputError(
            f"{labels or inputs}: labels have shape {of_labels}, the batch before the time steps;"
            f" for inputs of shape {given} give them as (time steps, batch, outputs)"
        )
    if by_step and len(samples) == given[0]:
        raise InputError(
            f"{inputs}: inputs have shape {given}, the batch before the time steps; a stream is"
            " (time steps, batch, *shape)"
        )
    raise InputError(f"{labels or inputs}: {len(samples)} labels for {held} inputs of {inputs}")


def _is_one_hot(values: "torch.Tensor") -> bool:
    """Return whether every row is 1 in one of several places and 0 in the others."""
    if values.dim() != 2 or values.shape[1] < 2:
        return False
    return bool(((values == 0) | (values == 1)).all() and (values.sum(1) == 1).all())


def random_inputs(shape: str, seed: int) -> "torch.Tensor":
    """Make uniform inputs of a shape like "1,28,28", with a batch in front.

    Raises:
        InputError: these are not whole numbers of at least 1.
    """
    import torch

    try:
        sizes = [int(part) for part in shape.split(",")]
    except ValueError:
        sizes = [0]
    if min(sizes) < 1:
        raise InputError(
            f"--shape is {shape!r}; give whole numbers from 1 on, like 1,28,28, without the batch"
        )
    return torch.rand(RANDOM_BATCH, *sizes, generator=torch.Generator().manual_seed(seed))


def _pick(path: Path, name: str, *also: str) -> "torch.Tensor":
    """Return the only array of a file, or the one of that name, or of another that it may have."""
    content = _content(path)
    for known in (name, *also):
        if known in content:
            return _as_tensor(path, content[known])
    others = [other for other in content if other != LABELS]
    if len(others) != 1:
        held = f"holds {', '.join(sorted(content))}" if content else "holds no array"
        raise InputError(f"{path}: {held}; name the array {name!r}, or save it alone")
    return _as_tensor(path, content[others[0]])


def _refuse_recording(path: Path, names: set[str]) -> None:
    """Raise InputError if arrays have the names of a recording's columns."""
    if len(names) > 1 and {"x", "y"} <= {name.lower() for name in names}:
        raise InputError(
            f"{path}: holds {', '.join(sorted(names))}, as a recording of events does; this takes"
            " frames: open recordings with stochi.data.open_recordings, and save"
            " streams=events.load().inputs.numpy(), labels=events.load().labels.numpy()"
        )


def _content(path: Path) -> dict[str, Any]:
    """Return what a file holds by name; a single array has the name ""."""
    if path.suffix in TORCH:
        found = load_tensors(path)
        if not isinstance(found, dict):
            return {"": found}
        return {str(name): values for name, values in found.items()}
    if path.suffix in NUMPY:
        arrays = load_arrays(path)
        _refuse_recording(path, set(arrays))
        return arrays
    if not path.exists():
        raise InputError(f"{path}: no such file")
    raise InputError(f"{path}: give a file of numpy (.npy, .npz) or of torch (.pt)")


def _as_tensor(path: Path, values: Any) -> "torch.Tensor":
    import numpy as np
    import torch

    if isinstance(values, torch.Tensor):
        if not is_plain(values):
            raise InputError(f"{path}: holds {values.dtype}, {values.layout}; give dense numbers")
        # A tensor may repeat the numbers that are stored; float32 and whole numbers are copies.
        check_memory(_COPIES * values.numel(), f"{path}")
        return values.detach()
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
        kind = values.dtype if isinstance(values, np.ndarray) else type(values).__name__
        raise InputError(f"{path}: holds {kind}; give an array of numbers")
    # torch has neither foreign byte orders nor all of numpy's types.
    return torch.from_numpy(values.astype(np.float32 if values.dtype.kind == "f" else np.int64))
