"""A trained network's file: its weights and how to build it, without pickled code."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from stochi.errors import StochiError
from stochi.files import what_is_missing, written_aside
from stochi.not_finite import find_not_finite
from stochi.train.networks import small_conv_net

FORMAT = "stochi-checkpoint"
VERSION = 2
READABLE = (1, 2)
"""Version 1 knew one shape of images and one number of classes, those of the digits."""


class CheckpointError(StochiError):
    """A checkpoint is missing, foreign or damaged."""


@dataclass(frozen=True)
class NetworkConfig:
    """What ``stochi train`` builds: :func:`stochi.train.networks.small_conv_net`'s arguments.

    The defaults of ``input_shape`` and ``classes`` are the digits', also for old checkpoints.
    """

    input_shape: tuple[int, int, int] = (1, 8, 8)
    classes: int = 10
    steps: int = 8
    channels: tuple[int, int] = (16, 32)
    sigma: float = 1.0
    sampling: str = "step"
    input_gain: str = "coupled"
    bits: int | None = None
    batch_norm: bool = True

    def build(self) -> nn.Module:
        """The untrained network, weights from torch's global generator."""
        return small_conv_net(**asdict(self))

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "NetworkConfig":
        """As a checkpoint holds it, of this version or an older one."""
        arguments = dict(values)
        for name in ("input_shape", "channels"):
            if name in arguments:
                arguments[name] = tuple(arguments[name])
        return NetworkConfig(**arguments)


def in_floats(twin: nn.Module, network: NetworkConfig) -> tuple[nn.Module, NetworkConfig]:
    """The float network with a hardware-aware model's weights, in eval mode, and how to build it.

    Lowering it gives the hardware-aware model's integers. Its batch norms are folded away.

    Args:
        twin: made from what ``network`` builds.
    """
    folded = replace(network, batch_norm=False)
    with torch.random.fork_rng(devices=[]):
        model = folded.build()
    model.load_state_dict(twin.state_dict())
    return model.eval(), folded


def save_checkpoint(
    path: str | Path, model: nn.Module, network: NetworkConfig, training: dict[str, Any]
) -> None:
    """Write weights, network and training configuration, aside and then into place."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "network": asdict(network),
        "training": training,
        "weights": model.state_dict(),
    }
    with written_aside(path) as aside:
        torch.save(content, aside)


def load_checkpoint(path: str | Path) -> tuple[nn.Module, dict[str, Any]]:
    """The trained network in eval mode, and everything else that was saved.

    Only tensors and plain values are read (``weights_only``); code is never run.

    Raises:
        CheckpointError: the file is missing, foreign, newer or damaged, or has weights that are
            not finite.
    """
    source = Path(path)
    if not source.is_file():
        raise CheckpointError(
            f"{source}: {what_is_missing(source)}; 'stochi train' writes a checkpoint"
        )
    try:
        content = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises many kinds for a file that is not its own
        raise CheckpointError(
            f"{source}: not a Stochi checkpoint, or a damaged one; 'stochi train' writes them"
        ) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(f"{source}: not a Stochi checkpoint; 'stochi train' writes them")
    if content.get("version") not in READABLE:
        raise CheckpointError(
            f"{source}: checkpoint version {content.get('version')}, this Stochi reads"
            f" {' and '.join(map(str, READABLE))}"
        )
    try:
        model = NetworkConfig.from_dict(content["network"]).build()
        model.load_state_dict(content["weights"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        # torch says what does not fit over several lines, the first one of no use.
        lines = [line.strip(" \t.") for line in str(error).splitlines()]
        said = "; ".join(lines[1:] or lines)
        raise CheckpointError(
            f"{source}: the checkpoint is incomplete or inconsistent ({said}); train it again, or"
            " save it anew"
        ) from error
    name = find_not_finite(model.state_dict())
    if name is not None:
        raise CheckpointError(
            f"{source}: {name} holds NaN or infinite values; train it again, or repair them"
        )
    return model.eval(), content
