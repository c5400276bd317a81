"""What tensors share: their storage, and the places in it."""

from typing import Any

import torch

_SHAPE_ONLY = {
    *("squeeze_", "unsqueeze_", "transpose_", "t_", "swapaxes_", "swapdims_", "as_strided_"),
    *("detach_", "requires_grad_", "rename_"),
}
"""Functions that count as changes in place, but leave all values."""


def storage_of(tensor: torch.Tensor) -> int:
    """Return a number that is equal for tensors that share memory; 0 if it has none."""
    try:
        return int(tensor.untyped_storage()._cdata)
    except (RuntimeError, NotImplementedError):  # sparse, or a wrapper of other tensors
        return 0


def version_of(tensor: torch.Tensor) -> int:
    """Return torch's count of a tensor's changes in place; 0 if it does not count them."""
    return 0 if tensor.is_inference() else tensor._version


def is_in_place(name: str) -> bool:
    """Return whether a function changes its first argument, by its name."""
    in_place = name.endswith("_") and (not name.endswith("__") or name[:3] in ("__i", "__s"))
    return in_place or name == "__set__.data"


def written_parts(
    name: str, args: tuple[Any, ...], changed: list[torch.Tensor]
) -> tuple[torch.Tensor, ...]:
    """Return the parts of memory that a call wrote, as views.

    Args:
        name: name of the function.
        args: its arguments.
        changed: those of its tensors that torch counts as changed.
    """
    if name in _SHAPE_ONLY:
        return ()
    if is_in_place(name) and args[0].is_inference():  # its changes are not counted
        changed = [args[0]]
    if name == "__setitem__":
        changed = [args[0]]
        part = args[0][args[1]]
        if storage_of(part) == storage_of(args[0]):
            changed = [part]
    return tuple(changed)


def is_same_view(one: torch.Tensor, two: torch.Tensor) -> bool:
    """Return whether two tensors show the same values of one storage."""
    return (
        storage_of(one) == storage_of(two) != 0
        and one.dtype == two.dtype
        and one.shape == two.shape
        and one.stride() == two.stride()
        and one.storage_offset() == two.storage_offset()
    )


def overlaps(one: torch.Tensor, two: torch.Tensor) -> bool:
    """Return whether a value of one tensor is a value of another, too."""
    if storage_of(one) != storage_of(two) or not storage_of(one):
        return False
    if one.dtype != two.dtype:
        return True
    ends = [t.storage_offset() + _extent(t) for t in (one, two)]
    if ends[0] <= two.storage_offset() or ends[1] <= one.storage_offset():
        return False
    size = one.untyped_storage().nbytes() // one.element_size()
    shown = torch.zeros(size, dtype=torch.bool)
    shown.as_strided(one.shape, one.stride(), one.storage_offset()).fill_(True)
    return bool(shown.as_strided(two.shape, two.stride(), two.storage_offset()).any())


def step_of(tensor: torch.Tensor, part: torch.Tensor) -> tuple[int, int] | None:
    """Return the axis and the index at which a tensor holds a part; None if it is no single one."""
    after = part.storage_offset() - tensor.storage_offset()
    if tensor.dtype != part.dtype or after < 0:
        return None
    for axis in range(min(2, tensor.dim())):
        shape, strides = list(tensor.shape), list(tensor.stride())
        size, stride = shape.pop(axis), strides.pop(axis)
        if (shape, strides) != (list(part.shape), list(part.stride())):
            continue
        if stride and after % stride == 0 and after // stride < size:
            return axis, after // stride
    return None


def _extent(tensor: torch.Tensor) -> int:
    """Return the number of places in memory from a tensor's first value to its last."""
    if not tensor.numel():
        return 0
    return 1 + sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride(), strict=True))
