"""The networks of ``stochi train``, as plain values from which they can be built again."""

from dataclasses import dataclass
from typing import Any

from torch import nn

from stochi.arguments import check_fields
from stochi.errors import InputError
from stochi.train.deep_networks.catalogue import DEEP_NETWORKS
from stochi.train.event_networks import event_conv_net, event_mlp
from stochi.train.networks import small_conv_net
from stochi.train.neurons.choice import NOISE_STD, OPEN_SHARE, NeuronChoice

KINDS = ("conv", "event-conv", "event-mlp", *DEEP_NETWORKS)
_LARGEST = 2**20
"""Largest size of an input, a layer or a sample in time."""


@dataclass(frozen=True)
class NetworkConfig:
    """A network of ``stochi train``, and the arguments of the function that builds it.

    Attributes:
        input_shape, classes: those of the digits by default, also for old checkpoints.
        time_steps: of a sample.
        channels: of the two convolutions.
        sigma, sampling, input_gain, bits: as in :class:`stochi.train.RandomTauLeaky`.
        batch_norm: whether convolutions have batch norm.
        kind: "conv" (:func:`stochi.train.networks.small_conv_net`), "sew-resnet19" or "vgg9"
            (:mod:`stochi.train.deep_networks`) for images; "event-conv" or "event-mlp"
            (:mod:`stochi.train.event_networks`) for events.
        neuron: kind of neuron (:class:`stochi.train.neurons.choice.NeuronChoice`).
        hidden: numbers of neurons of the MLP's two layers.
        width: number of channels of a deep network's first stage.
        random_layers: number of layers of a deep network, from the input on, that draw; None: all.
        noise_std: as in :class:`stochi.train.NoisyLeaky`, for the kind "noisy".
        open_share: as in :class:`stochi.train.GatedLeaky`, for the kind "gated".
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
    width: int = 16
    random_layers: int | None = None
    noise_std: float = NOISE_STD
    open_share: float = OPEN_SHARE

    def __post_init__(self) -> None:
        check_fields(self)
        if self.kind not in KINDS:
            raise InputError(f"kind is {self.kind!r}; choose from {', '.join(KINDS)}")
        for name in ("input_shape", "channels", "hidden"):
            for size in getattr(self, name):
                _check_size(name, size)
        _check_size("classes", self.classes)
        _check_size("time_steps", self.time_steps)
        _check_size("width", self.width)
        _ = self.neurons  # which checks its options
        if self.kind in DEEP_NETWORKS:
            DEEP_NETWORKS[self.kind].check(self.input_shape, self.random_layers)

    @property
    def weights(self) -> int:
        """Number of weights between its layers."""
        if self.kind in DEEP_NETWORKS:
            return DEEP_NETWORKS[self.kind].count_weights(
                self.input_shape, self.classes, self.width
            )
        inputs, height, width = self.input_shape
        first, second = self.channels
        if self.kind == "event-mlp":
            first, second = self.hidden
            pooled = (height // min(2, height)) * (width // min(2, width))
            return inputs * pooled * first + first * second + second * self.classes
        if self.kind == "event-conv":
            left = ((height + 1) // 2 // 4) * ((width + 1) // 2 // 4)
            return 25 * inputs * first + 9 * first * second + second * left * self.classes
        left = (height // 2) * (width // 2)
        return 9 * inputs * first + 9 * first * second + second * left * self.classes

    @property
    def events(self) -> bool:
        """Whether it takes events (time steps, batch, *shape), not images."""
        return self.kind.startswith("event-")

    @property
    def normalizes(self) -> bool:
        """Whether it normalizes its images."""
        return self.kind in DEEP_NETWORKS and self.batch_norm

    @property
    def neurons(self) -> NeuronChoice:
        """Its kind of neuron, with options."""
        own = self.sigma, self.sampling, self.input_gain, self.bits
        return NeuronChoice(self.neuron, *own, self.noise_std, self.open_share)

    def build(self) -> nn.Module:
        """Build the untrained network, with weights from torch's global generator."""
        if self.kind in DEEP_NETWORKS:
            return DEEP_NETWORKS[self.kind].build(
                self.input_shape,
                self.classes,
                time_steps=self.time_steps,
                width=self.width,
                neuron=self.neurons,
                batch_norm=self.batch_norm,
                random_layers=self.random_layers,
            )
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
        return small_conv_net(
            self.input_shape,
            self.classes,
            time_steps=self.time_steps,
            channels=self.channels,
            batch_norm=self.batch_norm,
            neuron=self.neurons,
        )

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "NetworkConfig":
        """Read the configuration from a checkpoint of this version or an older one.

        Raises:
            InputError: a value has the wrong type, or is out of range.
            TypeError: there is a value with an unknown name.
        """
        if not isinstance(values, dict):
            raise InputError(f"the network is a value of type {type(values).__name__}")
        arguments = dict(values)
        if "steps" in arguments:
            arguments["time_steps"] = arguments.pop("steps")
        for name in ("input_shape", "channels", "hidden"):
            if isinstance(arguments.get(name), list):
                arguments[name] = tuple(arguments[name])
        return NetworkConfig(**arguments)


def _check_size(name: str, size: int) -> None:
    if not 1 <= size <= _LARGEST:
        raise InputError(f"{name} is {size!r}; whole numbers from 1 to {_LARGEST} are possible")
