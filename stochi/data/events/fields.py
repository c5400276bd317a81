"""Recordings in files of one's own: arrays of columns, rows and times, however they are named."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from stochi.data.array_files import load_arrays
from stochi.data.events.recording import Recording, checked_recording
from stochi.data.events.time_units import to_microseconds
from stochi.errors import InputError
from stochi.files import check_plain_file
from stochi.hdf5.contents import Form, read_contents

NAMES = {
    "x": ("x", "xs"),
    "y": ("y", "ys"),
    "time": ("t", "ts", "time", "times", "timestamp", "timestamps"),
    "polarity": ("p", "ps", "pol", "polarity", "on"),
}
"""What a recording holds, and how it is called, in small letters."""
_FORM = "x, y, t (microseconds) and p (1 brighter, 0 or −1 darker)"
_GROUP = "events"
_EXACT = 2**53
"""Whole numbers below this are exact in a float."""
_MOST = 2**62
_HDF5 = Form(
    "an HDF5 file",
    "save it again",
    (_GROUP, "/"),
    tuple(name for names in NAMES.values() for name in names),
    copies=10,  # while they become numbers of 8 bytes
    fields=True,
)


def read_numpy(path: Path, height: int, width: int, unit: str | None = None) -> Recording:
    """Read a recording from a .npz or .npy file.

    A .npz file holds four arrays, or one; a single array has four named fields, or is (events, 4)
    with the columns x, y, time, polarity.

    Args:
        unit: of times, as for :func:`stochi.data.events.time_units.to_microseconds`.

    Raises:
        InputError: the file is damaged, or its events are impossible; the message names it.
    """
    arrays = load_arrays(path)
    try:
        only = next(iter(arrays.values())) if len(arrays) == 1 else None
        fields = arrays if only is None else _fields_of(only)
        return _recording(fields, height, width, unit)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def read_hdf5(path: Path, height: int, width: int, unit: str | None = None) -> Recording:
    """Read a recording from an HDF5 file.

    Four data sets lie in the group ``events`` or in the file itself; or ``events`` is a data set
    like the array of a .npy file.

    Args:
        unit: as for :func:`read_numpy`.

    Raises:
        InputError: the file is damaged, or its events are impossible; the message names it.
    """
    check_plain_file(path)
    try:
        found = read_contents(path, _HDF5)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    place = found.get(_GROUP, found)
    try:
        fields = _arrays_of(place) if isinstance(place, dict) else _fields_of(place)
        return _recording(fields, height, width, unit)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _arrays_of(group: dict[str, Any]) -> dict[str, Any]:
    """Return the arrays of a group by name, empty ones where they are not needed."""
    return {name: np.empty(0) if values is None else values for name, values in group.items()}


def _fields_of(array: Any) -> dict[str, np.ndarray]:
    """Return the four fields of one array."""
    array = np.asarray(array)
    if array.dtype.names is not None:
        return {name: array[name] for name in array.dtype.names}
    if array.ndim == 2 and array.shape[1] == 4:
        return dict(zip(("x", "y", "t", "p"), array.T, strict=True))
    raise InputError(
        f"it holds one array of shape {array.shape}; it must have the fields {_FORM}, or be"
        " (events, 4) with these columns"
    )


def _recording(fields: Mapping[str, Any], height: int, width: int, unit: str | None) -> Recording:
    """Return the recording in four arrays or data sets, by whatever names they have."""
    found: dict[str, np.ndarray] = {}
    for what, names in NAMES.items():
        known = [values for name, values in fields.items() if name.lower() in names]
        if len(known) != 1:
            raise InputError(
                f"it holds {'no' if not known else 'more than one'} {what}: its arrays are"
                f" {', '.join(map(repr, fields)) or 'none'}; it must have {_FORM}"
            )
        numbers = _numbers(what, known[0])
        found[what] = to_microseconds(numbers, unit) if what == "time" else _whole(what, numbers)
    lengths = {what: len(values) for what, values in found.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(
            "its arrays differ in length:"
            f" {', '.join(f'{what} {length}' for what, length in lengths.items())}"
        )
    if len(found["polarity"]) and found["polarity"].min() == -1:
        found["polarity"] = _from_signs(found["polarity"])
    x, y, polarity, time = (found[what] for what in ("x", "y", "polarity", "time"))
    return checked_recording(Recording(x, y, polarity, time, height, width))


def _numbers(what: str, values: Any) -> np.ndarray:
    """Return an array with one number an event."""
    values = np.asarray(values)
    if values.ndim != 1 or values.dtype.kind not in "biuf":
        raise InputError(
            f"{what} is an array of {values.dtype} with shape {values.shape}; it must be one"
            " number an event"
        )
    return values


def _whole(what: str, values: np.ndarray) -> np.ndarray:
    """Return whole numbers as int64."""
    if values.dtype.kind == "f":
        wrong = ~(np.abs(values) < _EXACT) | (values != np.trunc(values))  # NaN is wrong too
    else:
        wrong = values > _MOST
    if wrong.any():
        at = int(wrong.argmax())
        raise InputError(f"event {at} has {what} {values[at]}; it must be a whole number")
    return values.astype(np.int64)


def _from_signs(polarity: np.ndarray) -> np.ndarray:
    """Return 0 for −1; anything but −1 and 1 stays out of range."""
    return np.where(np.abs(polarity) == 1, (polarity + 1) // 2, -1)
