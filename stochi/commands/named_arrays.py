"""Which array of a file holds inputs, and which one labels, by their names."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stochi.budget import check_memory
from stochi.data.array_files import NUMPY, load_arrays
from stochi.errors import InputError, StochiWarning
from stochi.tensor_files import TORCH, is_plain, load_tensors

if TYPE_CHECKING:
    import torch

INPUTS, STREAMS, LABELS = "inputs", "streams", "labels"
OF_INPUTS = ("input", "x", "data", "images", "image", "samples", "features", "frames")
OF_LABELS = ("label", "y", "target", "targets", "classes")
"""Names that others give to inputs and labels, in small letters."""
_COPIES = 12
"""Bytes of memory that a number takes while it is brought into the type that is used."""


class TakenByName(StochiWarning):
    """Arrays of other names than ``inputs`` and ``labels``, taken as inputs or labels."""


def pick_inputs(path: Path) -> "torch.Tensor":
    """Return the inputs of a file: the array "inputs" or "streams", or the one that can be meant.

    Raises:
        InputError: the file cannot be read, or it does not tell which array it is.

    Warns:
        TakenByName: the array has another usual name.
    """
    content = load_named(path)
    taken = _find(content, (INPUTS, STREAMS), OF_INPUTS)
    if len(taken) == 1:
        _tell(path, content, taken[0], INPUTS)
        return _as_tensor(path, content[taken[0]])
    labels = _find(content, (LABELS,), OF_LABELS)
    return _only(path, content, set(labels if len(content) > 1 else (LABELS,)), INPUTS)


def pick_labels(path: Path) -> "torch.Tensor":
    """Return the labels of a file, its array "labels", or the one that can be meant.

    Raises, Warns:
        As :func:`pick_inputs`.
    """
    content = load_named(path)
    taken = _find(content, (LABELS,), OF_LABELS)
    if len(taken) == 1:
        _tell(path, content, taken[0], LABELS)
        return _as_tensor(path, content[taken[0]])
    return _only(path, content, set(), LABELS)


def find_labels(path: Path) -> str | None:
    """Return the name of the labels in a file of inputs; None if it has none.

    Raises:
        InputError: the file cannot be read, or several arrays can be meant.
    """
    content = load_named(path)
    taken = _find(content, (LABELS,), OF_LABELS)
    if len(taken) > 1:
        raise InputError(_not_told(path, content, LABELS))
    return taken[0] if taken and len(content) > 1 else None


def load_named(path: Path) -> dict[str, Any]:
    """Return what a file holds by name; a single array without a name has the name "".

    Raises:
        InputError: the file cannot be read, or it holds a recording of events.
    """
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


def _find(content: dict[str, Any], own: tuple[str, ...], usual: tuple[str, ...]) -> list[str]:
    """Return the names that can be meant: one of Stochi's own, else all that others use."""
    for name in own:
        if name in content:
            return [name]
    return [name for name in content if name.lower() in (*own, *usual)]


def _only(path: Path, content: dict[str, Any], besides: set[str], wanted: str) -> "torch.Tensor":
    """Return the only array besides some; raise InputError if there is another number of them."""
    others = [name for name in content if name not in besides]
    if len(others) != 1:
        raise InputError(_not_told(path, content, wanted))
    return _as_tensor(path, content[others[0]])


def _not_told(path: Path, content: dict[str, Any], wanted: str) -> str:
    held = "holds no array"
    if content:
        shapes = ((name, getattr(content[name], "shape", None)) for name in sorted(content))
        listed = [name if shape is None else f"{name} {tuple(shape)}" for name, shape in shapes]
        held = f"holds {', '.join(listed)}"
    return f"{path}: {held}; name the array {wanted!r}, or save it alone"


def _tell(path: Path, content: dict[str, Any], taken: str, meant: str) -> None:
    """Warn of one array among several that has a usual name, not Stochi's own."""
    if len(content) > 1 and taken not in (INPUTS, STREAMS, LABELS):
        warnings.warn(f"{path}: {taken!r} is taken as its {meant}", TakenByName, stacklevel=3)


def _refuse_recording(path: Path, names: set[str]) -> None:
    """Raise InputError if arrays have the names of all of a recording's columns."""
    from stochi.data.events.fields import NAMES

    lower = {name.lower() for name in names}
    if all(lower.intersection(spellings) for spellings in NAMES.values()):
        raise InputError(
            f"{path}: holds {', '.join(sorted(names))}, as a recording of events does; this takes"
            " frames: open recordings with stochi.data.open_recordings, and save"
            " streams=events.load().inputs.numpy(), labels=events.load().labels.numpy()"
        )


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
