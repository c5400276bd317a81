"""A user's weights: the state_dict in a file, brought into a network."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stochi.commands.named_arrays import TakenByName
from stochi.errors import InputError
from stochi.tensor_files import is_plain, load_tensors

if TYPE_CHECKING:
    import torch
    from torch import nn

LISTED = 6
"""Largest number of names in a message."""
STATE_KEYS = ("state_dict", "model_state_dict")
"""Names under which training scripts keep the state_dict that counts."""
WRAPPERS = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put in front of a network's names."""


def load_weights(model: "nn.Module", path: Path, spec: str) -> None:
    """Load a state_dict into a network; reading the file runs no code in it.

    A file that holds values beside it may have it under any name, if it is the only one, or the
    only one that fits. What a wrapper puts in front of all names is left out.

    Args:
        spec: what the network is called.

    Raises:
        InputError: the file cannot be read, or it holds other names or shapes than the network.
        Exception: whatever the network's own way of loading raises.

    Warns:
        TakenByName: the weights had another name, or other names, than those of the network.
    """
    own = model.state_dict()
    key, given = _find_state(load_tensors(path), path, own)
    unwrapped = _unwrapped(given, own)
    problems = _problems(unwrapped, own)
    if problems:
        raise InputError(f"{path}: its weights do not fit {spec}: {_shortened(problems)}")
    taken = [f"its {key!r} is taken"] if key else []
    if unwrapped is not given:
        before = next(iter(given)).removesuffix(next(iter(unwrapped)))
        taken.append(f"{before!r} in front of all names is left out")
    if taken:
        warnings.warn(f"{path}: {'; '.join(taken)}", TakenByName, stacklevel=2)
    model.load_state_dict(unwrapped)


def listed(names: list[str]) -> str:
    """Return names for a message, the first ones if there are many."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def _find_state(
    content: Any, path: Path, own: Mapping[str, Any]
) -> "tuple[str, dict[str, torch.Tensor]]":
    """Return the state_dict in a file, and its name there, "" if it is all that the file holds.

    Raises:
        InputError: there is none, or several of them can be meant.
    """
    if not _is_state(content) and isinstance(content, Mapping):
        found = {str(key): part for key, part in content.items() if _is_state(part)}
        known = [key for key in STATE_KEYS if key in found]
        keys = known[:1] or list(found)
        if len(keys) > 1:
            keys = [key for key in keys if not _problems(_unwrapped(found[key], own), own)] or keys
        if len(keys) > 1:
            raise InputError(
                f"{path}: holds several state_dicts, {listed(keys)}; save the one that counts"
                " alone, with torch.save(model.state_dict(), path)"
            )
        if keys:
            return keys[0], _checked(found[keys[0]], path)
    return "", _checked(content, path)


def _is_state(content: Any) -> bool:
    """Return whether this has tensors by name, and nothing else."""
    import torch

    return (
        isinstance(content, Mapping)
        and bool(content)
        and all(isinstance(v, torch.Tensor) and isinstance(k, str) for k, v in content.items())
    )


def _checked(content: Any, path: Path) -> "dict[str, torch.Tensor]":
    """Return a state_dict; raise InputError for anything else."""
    import torch

    if isinstance(content, Mapping) and content:
        other = [str(name) for name, v in content.items() if not isinstance(v, torch.Tensor)]
        strange = [str(n) for n, v in content.items() if torch.is_tensor(v) and not is_plain(v)]
        if strange:
            raise InputError(f"{path}: these are not dense tensors of numbers: {listed(strange)}")
        if not other:
            return {str(name): values for name, values in content.items()}
        raise InputError(
            f"{path}: not a state_dict, since these are not tensors: {listed(other)}; save the"
            " state_dict alone, with torch.save(model.state_dict(), path)"
        )
    raise InputError(
        f"{path}: holds a value of type {type(content).__name__}"
        f"{' with nothing in it' if content == {} else ''}, not a state_dict; save one with"
        " torch.save(model.state_dict(), path)"
    )


def _unwrapped(
    given: "dict[str, torch.Tensor]", own: Mapping[str, Any]
) -> "dict[str, torch.Tensor]":
    """Return a state_dict without what wrappers put in front of all names, if that is foreign."""
    while given and given.keys() != own.keys():
        begin = [wrapper for wrapper in WRAPPERS if all(n.startswith(wrapper) for n in given)]
        if not begin or any(name.startswith(begin[0]) for name in own):
            break
        given = {name.removeprefix(begin[0]): values for name, values in given.items()}
    return given


def _problems(given: "dict[str, torch.Tensor]", own: Mapping[str, Any]) -> list[str]:
    """Return why a state_dict does not fit a network, nothing if it does."""
    import torch

    problems = []
    if missing := [name for name in own if name not in given]:
        problems.append(f"it lacks {listed(missing)}")
    if unexpected := [name for name in given if name not in own]:
        problems.append(f"the network has no {listed(unexpected)}")
    for name, values in own.items():
        if name in given and isinstance(values, torch.Tensor):
            have, need = tuple(given[name].shape), tuple(values.shape)
            if have != need:
                problems.append(f"{name} has shape {have}, in the network {need}")
    return problems


def _shortened(problems: list[str]) -> str:
    more = f"; and {len(problems) - LISTED} more" if len(problems) > LISTED else ""
    return "; ".join(problems[:LISTED]) + more
