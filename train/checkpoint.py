"""The file of a trained network: its weights and how to build it, without pickled code."""

import warnings
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from stochi.arguments import check_arguments
from stochi.budget import check_budgets, check_memory
from stochi.errors import InputError, StochiError, StochiWarning
from stochi.files import check_plain_file, kind_of_file
from stochi.not_finite import find_not_finite
from stochi.tensor_files import digest_of, is_plain, load_torch, save_torch
from stochi.train.network_config import NetworkConfig
from stochi.turns import generators_kept

FORMAT = "stochi-checkpoint"
VERSION = 6
CHECKED = 5
"""Version from which on every file has a checksum."""
READABLE = (1, 2, 3, 4, 5, 6)
"""Versions up to 5 have no deep networks and no neurons with noise or gates, versions up to 4 no
checksum. Version 3 has small conv nets of random-τ neurons only. Versions 1 and 2 call time_steps
"steps". Version 1 has the shape and classes of the digits."""
_SUM = "sha256"


class UncheckedCheckpoint(StochiWarning):
    """Warning that a checkpoint has no checksum, so that damage to it may not show."""


class CheckpointError(StochiError):
    """Error for a checkpoint that is missing, foreign or damaged."""


def in_floats(twin: nn.Module, network: NetworkConfig) -> tuple[nn.Module, NetworkConfig]:
    """Return the float network with a twin's weights, in eval mode, and its configuration.

    Lowering it gives the twin's integers. It has no batch norms: the twin's are folded.

    Args:
        twin: twin of a network that ``network`` builds.
        network: configuration of that network.

    Raises:
        InputError: the network normalizes its images.
    """
    check_can_be_in_floats(network)
    folded = replace(network, batch_norm=False)
    with generators_kept():
        model = folded.build()
    # A twin's other numbers are its neurons' own, which the network has, too.
    model.load_state_dict({**model.state_dict(), **dict(twin.named_parameters())})
    return model.eval(), folded


def check_can_be_in_floats(network: NetworkConfig) -> None:
    """Raise InputError unless :func:`in_floats` takes a network's twin."""
    if network.normalizes:
        raise InputError(
            f"{network.kind} normalizes images inside, in front of zero padding, so a network"
            " without normalizations cannot take over its twin's weights; tune it in Python with"
            " stochi.train.fine_tune, and export the result with stochi.export.to_nir, or train"
            " with --hardware"
        )


def save_checkpoint(
    path: str | Path, model: nn.Module, network: NetworkConfig, training: dict[str, Any]
) -> None:
    """Write the weights, the network's configuration and the training configuration.

    The file is written aside and then moved into place, with the SHA-256 of its content. The same
    content has the same bytes.

    Raises:
        InputError: a value is none that is read again.
    """
    check_arguments(save_checkpoint, locals())
    content: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "network": asdict(network),
        "training": {},
        "weights": model.state_dict(),
    }
    try:
        content["training"] = _in_plain_numbers(training)
        content[_SUM] = digest_of(content)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"the checkpoint would hold what is not read again ({error}); training takes"
            " numbers, strings, tensors, and lists and dictionaries of them"
        ) from None
    save_torch(path, content)


def _in_plain_numbers(values: Any) -> Any:
    """Return values with Python's numbers in place of numpy's, which would not be read again."""
    if isinstance(values, dict):
        return {name: _in_plain_numbers(value) for name, value in values.items()}
    if isinstance(values, list | tuple):
        made = [_in_plain_numbers(value) for value in values]
        return made if isinstance(values, list) else tuple(made)
    return values.item() if isinstance(values, np.generic) else values


def load_checkpoint(path: str | Path) -> tuple[nn.Module, dict[str, Any]]:
    """Return the trained network in eval mode, and everything that was saved.

    Only tensors and plain values are read (``weights_only``); no code of the file runs.

    Raises:
        CheckpointError: the file is missing, foreign, newer or damaged, holds weights that are
            not finite, or takes more memory than the budget allows.

    Warns:
        UncheckedCheckpoint: an earlier version of Stochi wrote the file, without a checksum.
    """
    check_arguments(load_checkpoint, locals())
    source = Path(path)
    content = _read(source)
    try:
        model = _build(content)
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        # torch reports what does not fit on several lines, of which the first has no detail.
        lines = [line.strip(" \t.") for line in str(error).splitlines()]
        details = "; ".join(lines[1:] or lines)
        raise CheckpointError(
            f"{source}: the checkpoint is incomplete or inconsistent ({details}); train it again,"
            " or save it again"
        ) from error
    name = find_not_finite(model.state_dict())
    if name is not None:
        raise CheckpointError(
            f"{source}: {name} holds NaN or infinite values; train it again, or repair them"
        )
    return model.eval(), content


def _read(source: Path) -> dict[str, Any]:
    """Return the content of a checkpoint that is whole."""
    check_budgets()  # before errors count as the file's
    check_plain_file(source, "'stochi train' writes a checkpoint", CheckpointError)
    try:
        content = load_torch(source)
    except InputError as error:  # the budget
        raise CheckpointError(str(error)) from error
    except Exception as error:  # torch.load raises errors of many kinds for a foreign file
        raise CheckpointError(
            f"{source}: {kind_of_file(source) or 'a damaged file, or one of another kind'}, not a"
            " Stochi checkpoint; 'stochi train' writes them"
        ) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(f"{source}: not a Stochi checkpoint; 'stochi train' writes them")
    version = content.get("version")
    if type(version) is not int or version not in READABLE:
        raise CheckpointError(
            f"{source}: checkpoint version {version!r}; this Stochi reads versions"
            f" {READABLE[0]} to {READABLE[-1]}"
        )
    _check_sum(source, content)
    return content


def _check_sum(source: Path, content: dict[str, Any]) -> None:
    """Raise CheckpointError if a checkpoint is not what was written."""
    if content["version"] < CHECKED and _SUM not in content:
        warnings.warn(
            f"{source}: written by an earlier version of Stochi, without a checksum, so damage to"
            " it may not show; save it again with stochi.train.save_checkpoint",
            UncheckedCheckpoint,
            stacklevel=4,
        )
        return
    try:
        found = digest_of({name: value for name, value in content.items() if name != _SUM})
    except ValueError as error:  # values that no checkpoint has
        raise CheckpointError(f"{source}: not a Stochi checkpoint; it holds {error}") from error
    if content.get(_SUM) != found:
        raise CheckpointError(
            f"{source}: the checksum does not match; the file is damaged: train it again, or take a"
            " copy of it"
        )


def _build(content: dict[str, Any]) -> nn.Module:
    """Build a checkpoint's network, once its weights are known to be there."""
    network, weights = NetworkConfig.from_dict(content["network"]), content["weights"]
    if not isinstance(weights, dict) or not all(map(is_plain, weights.values())):
        raise InputError("the weights are not tensors by name")
    if not isinstance(content["training"], dict):
        raise InputError("how it was trained is not a dictionary")
    held = sum(values.numel() for values in weights.values())
    check_memory(4 * held, "its network", CheckpointError)
    if network.weights > held:
        raise InputError(f"a network of {network.weights} weights, of which it holds {held}")
    with generators_kept():
        model = network.build()
    model.load_state_dict(weights)
    return model
