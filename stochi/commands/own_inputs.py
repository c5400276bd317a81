"""A user's own inputs and labels, from files of numpy or torch."""

from pathlib import Path
from typing import TYPE_CHECKING

from stochi.commands.console import Output
from stochi.commands.named_arrays import STREAMS, find_labels, load_named, pick_inputs, pick_labels
from stochi.errors import InputError

if TYPE_CHECKING:
    import torch

    from stochi.data.samples import Samples
    from stochi.program import Program

RANDOM_BATCH = 8
"""Number of random inputs that a network is exported with."""
LOWER_FOR_EVENTS = "lower the graph with 'stochi deploy --events'"
"""What to do if a Program takes events as images."""


def read_inputs(path: Path) -> "torch.Tensor":
    """Read inputs, float32, whose numbers are finite.

    Of several arrays in a file, it is the one that its name tells
    (:mod:`stochi.commands.named_arrays`).

    Raises:
        InputError: the file cannot be read, or holds something else.
    """
    import torch

    values = pick_inputs(path)
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
    if by_step and given[0] == given[1] > 1 and STREAMS not in load_named(path):
        way_out = f"name the array {STREAMS!r} in a .npz or .pt file"
        warn_of_order(f"{path}: inputs", given, way_out, stacklevel=3)


def hint_at_events(
    program: "Program", shown: "torch.Tensor", output: Output, way_out: str = LOWER_FOR_EVENTS
) -> None:
    """Warn of streams of 0 and 1 that a Program takes as images.

    Args:
        shown: inputs, which fit the Program.
        way_out: what to do if they are events, as the end of a sentence.
    """
    streams = shown.dim() == len(program.input_shape) + 2
    if streams and not program.target.events and bool((shown * shown == shown).all()):
        output.warning(
            "all inputs are 0 or 1, and the chip takes them as images of 8 bits; if they are"
            f" events, {way_out}"
        )


def read_labels(inputs: Path, labels: Path | None) -> "torch.Tensor | None":
    """Read the labels of inputs: those of their own file, if it has some.

    Args:
        inputs: file of the inputs; an array of labels in it counts if ``labels`` is None.
        labels: file of the labels.

    Returns:
        (n,) int64 classes, or of a regression float32 in a form of ``stochi.data.samples.Samples``.

    Raises:
        InputError: the file cannot be read, or holds neither.
    """
    from stochi.data.labels import check_not_one_hot

    if labels is None and find_labels(inputs) is None:
        return None
    path = labels or inputs
    values = pick_labels(path)
    try:
        check_not_one_hot(values)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    if values.is_floating_point() and values.dim() in (1, 2, 3) and values.numel():
        if not bool(values.isfinite().all()):
            raise InputError(f"{path}: its labels are not all finite; give finite numbers")
        return values.float()
    if values.dim() != 1:
        raise InputError(
            f"{path}: its labels have shape {tuple(values.shape)}; give one whole number for each"
            " input, or floats (batch, outputs), which the network should answer with"
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
            which dimension counts the inputs; if both have that size, the name "streams" says that
            it is the second one.
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
        count_of = found.shape[max(0, found.dim() - 2)]
        told = given[0] != count_of == given[1] or STREAMS in load_named(inputs)
        by_step = len(given) > 2 and told
    _check_order((shown, found), by_step, inputs, labels, time_steps)
    return (Streams if by_step else Images)(shown, found)


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
    pair: "tuple[torch.Tensor, torch.Tensor]",
    by_step: bool,
    inputs: Path,
    labels: Path | None,
    time_steps: int | None,
) -> None:
    """Raise InputError unless inputs and labels count the same samples in the same order.

    Warns:
        AmbiguousOrder: streams have as many samples as time steps.
    """
    given, of_labels = (tuple(values.shape) for values in pair)
    held, count = given[by_step], of_labels[max(0, len(of_labels) - 2)]
    if count == held:
        warn_of_file(inputs, pair[0], by_step)
        return
    if len(of_labels) == 3 and of_labels[0] == held and time_steps in (None, of_labels[1]):
        raise InputError(
            f"{labels or inputs}: labels have shape {of_labels}, the batch before the time steps;"
            f" for inputs of shape {given} give them as (time steps, batch, outputs): save"
            " np.swapaxes(labels, 0, 1)"
        )
    if by_step and count == given[0]:
        raise InputError(
            f"{inputs}: inputs have shape {given}, the batch before the time steps; a stream is"
            " (time steps, batch, *shape): save np.swapaxes(inputs, 0, 1)"
        )
    raise InputError(f"{labels or inputs}: {count} labels for {held} inputs of {inputs}")


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
