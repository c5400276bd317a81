"""Values that Python takes out of tensors: a graph keeps what they were on the sample.

``if x.max() > 1``, ``x / x.max().item()`` and ``len(spikes.nonzero())`` leave no trace in the
tensors that follow. They are noted where they happen. Whether one matters is found by running the
model again with that value altered.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import snntorch
import torch

_READING = {
    *("__bool__", "__float__", "__int__", "__index__", "__complex__", "__contains__"),
    *("item", "tolist", "numpy", "__array__", "equal", "allclose", "is_nonzero", "__dlpack__"),
}
_SIZED_BY_VALUES = {
    *("nonzero", "argwhere", "masked_select", "unique", "unique_consecutive", "bincount"),
}
_LIBRARIES = tuple(str(Path(str(m.__file__)).parent) for m in (torch, snntorch))
_MOST = 100
"""Number of times that a value is altered in a run, so that a loop that it governs ends."""


@dataclass(frozen=True)
class Read:
    """A place where forward takes values out of tensors that depend on the input.

    Attributes:
        name: name of the function that does.
        file, line: where.
        drawn: whether the values are drawn at random.
    """

    name: str
    file: str
    line: int
    drawn: bool = False

    def __str__(self) -> str:
        return f"{Path(self.file).name}:{self.line} ({self.name})"


def is_read(name: str, args: tuple[Any, ...]) -> bool:
    """Return whether a function takes values out of tensors, or lets them decide a shape."""
    if name == "__getitem__" and len(args) > 1:
        keys = args[1] if isinstance(args[1], tuple) else (args[1],)
        return any(isinstance(k, torch.Tensor) and k.dtype == torch.bool for k in keys)
    return name in _READING or name in _SIZED_BY_VALUES


def find_read(name: str, drawn: bool) -> Read:
    """Return the innermost place that is no library's own."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(_LIBRARIES):
            return Read(name, file, frame.f_lineno, drawn)
        frame = frame.f_back
    return Read(name, "", 0, drawn)


class Alteration:
    """Other values for what one place reads.

    Attributes:
        read: the place; None if nothing is altered.
    """

    def __init__(self, read: Read | None = None) -> None:
        self.read = read
        self.count = 0

    def call(self, read: Read, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a function that reads values; alter them if it is at the place."""
        if read != self.read or self.count >= _MOST:
            return func(*args, **kwargs)
        self.count += 1
        result = func(*args, **kwargs)
        if isinstance(result, bool):
            return not result
        return func(*(_altered(part) for part in args), **kwargs)


def _altered(part: Any) -> Any:
    if isinstance(part, tuple):
        return tuple(map(_altered, part))
    if not isinstance(part, torch.Tensor):
        return part
    if part.dtype == torch.bool:
        return ~part
    return part + 1 if not part.is_floating_point() else part * 1.5 + 0.5


def listed(reads: list[Read]) -> str:
    """Return up to three places as words."""
    names = list(dict.fromkeys(map(str, reads)))
    rest = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + rest
