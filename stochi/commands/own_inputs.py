"""A user's own inputs and labels, from files of numpy or torch."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from stochi.commands.tensor_files import NUMPY, TORCH, load_arrays, load_tensors
from stochi.errors import InputError

if TYPE_CHECKING:
    import torch

    from stochi.data import Images

INPUTS, LABELS = "inputs", "labels"
RANDOM_BATCH = 8
"""Number of random inputs that a network is exported with."""


def read_inputs(path: Path) -> "torch.Tensor":
    """Read inputs, float32, whose numbers are finite.

    Of several arrays in a file, it is the one with the name "inputs".

    Raises:
        InputError: the file cannot be read, or holds something else.
    """
    import torch

    values = _pick(path, INPUTS)
    if values.dim() < 2 or not values.numel():
        raise InputError(
            f"{path}: its shape is {tuple(values.shape)}; inputs have a batch in front,"
            " (batch, *shape), and events time steps before that"
        )
    if values.is_floating_point() and not bool(values.isfinite().all()):
        count = int((~values.isfinite()).sum())
        raise InputError(f"{path}: {count} of its values are NaN or infinite; give finite inputs")
    return values.to(torch.float32)


def read_labels(inputs: Path, labels: Path | None, samples: int) -> "torch.Tensor | None":
    """Read the labels of inputs, (samples,) int64: those of their own file, if it has some.

    Args:
        inputs: file of the inputs; an array "labels" in it counts if ``labels`` is None.
        labels: file of the labels.
        samples: number of the inputs.

    Raises:
        InputError: the file cannot be read, or does not hold a whole number for each input.
    """
    if labels is None and LABELS not in _content(inputs):
        return None
    path = labels or inputs
    values = _pick(path, LABELS)
    if values.dim() != 1:
        raise InputError(
            f"{path}: its labels have shape {tuple(values.shape)}; give one whole number for each"
            f" input, ({samples},)"
            + ("; of one-hot labels, take the argmax" if values.dim() == 2 else "")
        )
    if values.is_floating_point():
        raise InputError(f"{path}: its labels are {values.dtype}; give whole numbers")
    if len(values) != samples:
        raise InputError(f"{path}: {len(values)} labels for {samples} inputs of {inputs}")
    return values.long()


def read_labelled(
    inputs: Path,
    labels: Path | None,
    count: int | None = None,
    shape: tuple[int, ...] | None = None,
) -> "Images":
    """Read inputs (batch, *shape) with their labels.

    Args:
        shape: shape of an input, if it is known.
        count: number of inputs, from the front; None: all.

    Raises:
        InputError: as for :func:`read_inputs` and :func:`read_labels`, or there are no labels.
    """
    from stochi.data import Images

    shown = read_inputs(inputs)
    if shape is not None and tuple(shown.shape[1:]) != shape:
        sizes = ", ".join(map(str, shape))
        raise InputError(
            f"{inputs}: inputs have shape {tuple(shown.shape)}; they must be (batch, {sizes}), the"
            " same at every time step (events that change from step to step: 'stochi simulate')"
        )
    found = read_labels(inputs, labels, len(shown))
    if found is None:
        raise InputError(f"accuracy needs the labels of {inputs}; give --labels FILE")
    images = Images(shown, found)
    return images if count is None else images.first(count)


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


def _pick(path: Path, name: str) -> "torch.Tensor":
    """Return the only array of a file, or the one of that name."""
    content = _content(path)
    if name in content:
        return _as_tensor(path, content[name])
    others = [other for other in content if other != LABELS]
    if len(others) != 1:
        held = f"holds {', '.join(sorted(content))}" if content else "holds no array"
        raise InputError(f"{path}: {held}; name the array {name!r}, or save it alone")
    return _as_tensor(path, content[others[0]])


def _content(path: Path) -> dict[str, Any]:
    """Return what a file holds by name; a single array has the name ""."""
    if path.suffix in TORCH:
        found = load_tensors(path)
        return found if isinstance(found, dict) else {"": found}
    if path.suffix in NUMPY:
        return load_arrays(path)
    if not path.exists():
        raise InputError(f"{path}: no such file")
    raise InputError(f"{path}: give a file of numpy (.npy, .npz) or of torch (.pt)")


def _as_tensor(path: Path, values: Any) -> "torch.Tensor":
    import numpy as np
    import torch

    if isinstance(values, torch.Tensor):
        if values.is_complex() or values.layout != torch.strided:
            raise InputError(f"{path}: holds {values.dtype}, {values.layout}; give dense numbers")
        return values.detach()
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
        kind = values.dtype if isinstance(values, np.ndarray) else type(values).__name__
        raise InputError(f"{path}: holds {kind}; give an array of numbers")
    # torch has neither foreign byte orders nor all of numpy's types.
    return torch.from_numpy(values.astype(np.float32 if values.dtype.kind == "f" else np.int64))
