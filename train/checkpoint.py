"""The file of a trained network: its weights and how to build it, without pickled code."""

import io
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from stochi.arguments import check_arguments, check_fields
from stochi.errors import InputError, StochiError, check_at_least_one
from stochi.files import kind_of_file, what_is_missing, write_whole
from stochi.not_finite import find_not_finite
from stochi.train.event_networks import event_conv_net, event_mlp
from stochi.train.networks import small_conv_net
from stochi.train.neurons.choice import NeuronChoice
from stochi.turns import generators_kept

FORMAT = "stochi-checkpoint"
VERSION = 4
READABLE = (1, 2, 3, 4)
"""Version 3 has small conv nets of random-τ neurons only. Versions 1 and 2 call time_steps "steps".
Version 1 has the shape and classes of the digits."""
KINDS = ("conv", "event-conv", "event-mlp")


class CheckpointError(StochiError):
    """Error for a checkpoint that is missing, foreign or damaged."""


@dataclass(frozen=True)
class NetworkConfig:
    """A network of ``stochi train``, and the arguments of the function that builds it.

    Attributes:
        input_shape, classes: those of the digits by default, also for old checkpoints.
        time_steps: of a sample.
        channels: of the two convolutions.
        sigma, sampling, input_gain, bits: as in :class:`stochi.train.RandomTauLeaky`.
        batch_norm: whether convolutions have batch norm.
        kind: "conv" (:func:`stochi.train.networks.small_conv_net`, for images), "event-conv" or
            "event-mlp" (``event_conv_net`` and ``event_mlp`` of ``stochi.train.event_networks``).
        neuron: "random", "plain" or "cuba" (:class:`stochi.train.neurons.choice.NeuronChoice`).
        hidden: numbers of neurons of the MLP's two layers.
    """

    input_shape: tuple[int, int, int] = (1, 8, 8)
    classes: int = 10
    time_steps: int = 8
    channels: tuple[int, int] = (16, 32)
    sigma: float = 1.0
    sampling: str = "step"
    input_gain: str = "coupled"
    bits: int | None = None
    batch_norm: bool = True
    kind: str = "conv"
    neuron: str = "random"
    hidden: tuple[int, int] = (128, 128)

    def __post_init__(self) -> None:
        check_fields(self)
        if self.kind not in KINDS:
            raise InputError(f"kind is {self.kind!r}; choose from {', '.join(KINDS)}")
        check_at_least_one(classes=self.classes, time_steps=self.time_steps)
        _ = self.neurons  # which checks its options

    @property
    def events(self) -> bool:
        """Whether it takes events (time steps, batch, *shape), not images."""
        return self.kind != "conv"

    @property
    def neurons(self) -> NeuronChoice:
        """Its kind of neuron, with options."""
        return NeuronChoice(self.neuron, self.sigma, self.sampling, self.input_gain, self.bits)

    def build(self) -> nn.Module:
        """Build the untrained network, with weights from torch's global generator."""
        if self.kind == "event-mlp":
            return event_mlp(
                self.input_shape,
                self.classes,
                time_steps=self.time_steps,
                hidden=self.hidden,
                neuron=self.neurons,
            )
        if self.kind == "event-conv":
            return event_conv_net(
                self.input_shape,
                self.classes,
                time_steps=self.time_steps,
                channels=self.channels,
                neuron=self.neurons,
                batch_norm=self.batch_norm,
            )
        arguments = asdict(self)
        del arguments["kind"], arguments["hidden"]
        return small_conv_net(**arguments)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "NetworkConfig":
        """Read the configuration from a checkpoint of this version or an older one."""
        arguments = dict(values)
        if "steps" in arguments:
            arguments["time_steps"] = arguments.pop("steps")
        for name in ("input_shape", "channels", "hidden"):
            if name in arguments:
                arguments[name] = tuple(arguments[name])
        return NetworkConfig(**arguments)


def in_floats(twin: nn.Module, network: NetworkConfig) -> tuple[nn.Module, NetworkConfig]:
    """Return the float network with a twin's weights, in eval mode, and its configuration.

    Lowering it gives the twin's integers. It has no batch norms: the twin's are folded.

    Args:
        twin: twin of a network that ``network`` builds.
        network: configuration of that network.
    """
    folded = replace(network, batch_norm=False)
    with generators_kept():
        model = folded.build()
    # A twin's other numbers are its neurons' own, which the network has, too.
    model.load_state_dict({**model.state_dict(), **dict(twin.named_parameters())})
    return model.eval(), folded


def save_checkpoint(
    path: str | Path, model: nn.Module, network: NetworkConfig, training: dict[str, Any]
) -> None:
    """Write the weights, the network's configuration and the training configuration.

    The file is written aside and then moved into place. The same content has the same bytes.
    """
    check_arguments(save_checkpoint, locals())
    content = {
        "format": FORMAT,
        "version": VERSION,
        "network": asdict(network),
        "training": training,
        "weights": model.state_dict(),
    }
    stored = io.BytesIO()  # torch would write the name of a file into its bytes
    torch.save(content, stored)
    write_whole(path, stored.getvalue())


def load_checkpoint(path: str | Path) -> tuple[nn.Module, dict[str, Any]]:
    """Return the trained network in eval mode, and everything that was saved.

    Only tensors and plain values are read (``weights_only``); no code of the file runs.

    Raises:
        CheckpointError: the file is missing, foreign, newer or damaged, or holds weights that are
            not finite.
    """
    check_arguments(load_checkpoint, locals())
    source = Path(path)
    if not source.is_file():
        raise CheckpointError(
            f"{source}: {what_is_missing(source)}; 'stochi train' writes a checkpoint"
        )
    try:
        content = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises errors of many kinds for a foreign file
        raise CheckpointError(
            f"{source}: {kind_of_file(source) or 'a damaged file, or one of another kind'}, not a"
            " Stochi checkpoint; 'stochi train' writes them"
        ) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(f"{source}: not a Stochi checkpoint; 'stochi train' writes them")
    if content.get("version") not in READABLE:
        raise CheckpointError(
            f"{source}: checkpoint version {content.get('version')}; this Stochi reads versions"
            f" {READABLE[0]} to {READABLE[-1]}"
        )
    try:
        with generators_kept():
            model = NetworkConfig.from_dict(content["network"]).build()
        model.load_state_dict(content["weights"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
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
