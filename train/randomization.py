"""Other randomizations than random τ, to compare it with, for training and for inference."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar

import snntorch as snn
import torch
from torch import nn
from torch.nn import functional

from stochi.errors import InputError
from stochi.export.copy_model import copy_model
from stochi.train.networks import RepeatSteps
from stochi.train.neurons import RandomTauLeaky


class Randomized(nn.Module):
    """A model in which something is drawn anew, for every row of every forward pass.

    Rows draw independently of each other, from torch's default generator, so attacks may put the
    runs that they average over side by side in one batch, and their seed makes them repeat.

    Args:
        model: (batch, *shape) → (batch, classes); it is used as it is, not copied.
        strength: how much; what it counts, each randomization says.

    Raises:
        InputError: the strength is out of range, or the model has not what is to be randomized.
    """

    below: ClassVar[float] = math.inf

    def __init__(self, model: nn.Module, strength: float) -> None:
        super().__init__()
        if not 0 <= strength < self.below:
            raise InputError(
                f"strength is {strength}; {type(self).__name__} takes a number from 0 to below"
                f" {self.below:g}"
            )
        self.model = model
        self.strength = strength


class WeightNoise(Randomized):
    """Gaussian noise on the weights of all Linear and Conv2d layers.

    After parametric noise injection (He et al., CVPR 2019): W + α·η, η of the standard deviation
    of the layer's weights. There α is learned for each layer; here it is the strength. There a
    batch shares its noisy weights; here each row has weights of its own, which stay for all time
    steps of its pass. They take batch × weights numbers of memory.
    """

    def __init__(self, model: nn.Module, strength: float) -> None:
        super().__init__(model, strength)
        _refuse_hardware(model, "weight noise would leave its weight grid")
        layers = [m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
        if not layers:
            raise InputError(f"the {type(model).__name__} has no Linear or Conv2d to add noise to")
        for layer in layers:
            if isinstance(layer, nn.Conv2d) and layer.padding_mode != "zeros":
                raise InputError(
                    f"a Conv2d has padding_mode {layer.padding_mode!r}; weight noise knows 'zeros'"
                )

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """The model's output, with new weights for each row."""
        drawn: dict[nn.Module, torch.Tensor] = {}
        with hooked(self.model, (nn.Linear, nn.Conv2d), partial(self._add, drawn)):
            return self.model(inputs)

    def _add(
        self,
        drawn: dict[nn.Module, torch.Tensor],
        layer: Any,
        arguments: tuple[torch.Tensor],
        output: torch.Tensor,
    ) -> torch.Tensor:
        """The output, and what the noise alone, (batch, *weight), makes of the layer's input."""
        (inputs,) = arguments
        if layer not in drawn:
            weight = layer.weight.detach()
            shape = (len(inputs), *weight.shape)
            noise = torch.randn(shape, dtype=weight.dtype, device=weight.device)
            drawn[layer] = self.strength * weight.std() * noise
        noise = drawn[layer]
        if isinstance(layer, nn.Linear):
            return output + torch.einsum("b...i,boi->b...o", inputs, noise)
        # A row of the batch becomes a group of a convolution.
        added = functional.conv2d(
            inputs.flatten(0, 1)[None],
            noise.flatten(0, 1),
            None,
            layer.stride,
            layer.padding,
            layer.dilation,
            layer.groups * len(inputs),
        )
        return output + added.view_as(output)


class SpikePruning(Randomized):
    """Spikes are dropped at random, the others scaled up to the same mean.

    After stochastic activation pruning (Dhillon et al., ICLR 2018), which draws r activations with
    replacement, in proportion to their size. Spikes are all of one size, so each is kept alike;
    here independently, with probability 1 − strength, at every step.
    """

    below = 1.0

    def __init__(self, model: nn.Module, strength: float) -> None:
        super().__init__(model, strength)
        _refuse_hardware(model, "its spikes are 0 or 1 and cannot be scaled up")
        neurons = [m for m in model.modules() if isinstance(m, snn.SpikingNeuron)]
        if not neurons:
            raise InputError(f"the {type(model).__name__} has no spiking neuron of snnTorch")

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """The model's output, of the spikes that are left."""
        with hooked(self.model, (snn.SpikingNeuron,), self._prune):
            return self.model(inputs)

    def _prune(self, neuron: nn.Module, arguments: Any, output: Any) -> Any:
        if isinstance(output, tuple):
            return (self._dropped(output[0]), *output[1:])
        return self._dropped(output)

    def _dropped(self, spikes: torch.Tensor) -> torch.Tensor:
        return functional.dropout(spikes, self.strength)


class InputNoise(Randomized):
    """Gaussian noise on the image, of standard deviation ``strength``, the same at all time steps.

    The noise of randomized smoothing (Cohen et al., ICML 2019), without its vote and certificate.
    Pixels stay in [0, 1] here, as the chip's 8-bit input does.
    """

    def __init__(self, model: nn.Module, strength: float) -> None:
        super().__init__(model, strength)
        _refuse_events(model)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """The model's output on noisy images."""
        return self.model((inputs + self.strength * torch.randn_like(inputs)).clamp(0, 1))


class ResizeAndPad(Randomized):
    """The image is made smaller and put at a random place on a black one of its own size.

    After Xie et al., ICLR 2018, who put an enlarged image on a larger canvas: that needs a network
    for any size of image. Sizes are whole pixels, uniform from ⌈(1 − strength)·size⌉ to size, the
    sides' ratio stays, resizing is bilinear.
    """

    below = 1.0

    def __init__(self, model: nn.Module, strength: float) -> None:
        super().__init__(model, strength)
        _refuse_events(model)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """The model's output on resized and padded images, (batch, channels, height, width)."""
        if inputs.dim() != 4:
            raise InputError(
                f"inputs have shape {tuple(inputs.shape)}; resizing needs images (batch, channels,"
                " height, width)"
            )
        return self.model(self._resized(inputs))

    def _resized(self, inputs: torch.Tensor) -> torch.Tensor:
        chance = torch.rand(3, len(inputs), dtype=inputs.dtype, device=inputs.device)
        sizes = inputs.shape[3], inputs.shape[2]  # x before y, as in a grid
        width = sizes[0]
        least = math.ceil((1 - self.strength) * width)
        share = (least + (chance[0] * (width + 1 - least)).floor()) / width
        places = []
        for size, where in zip(sizes, chance[1:], strict=True):
            small = (share * size).round().clamp(min=1)[:, None]
            first = (where[:, None] * (size + 1 - small)).floor()
            pixel = torch.arange(size, dtype=inputs.dtype, device=inputs.device)
            # The ends of the small image are -1 and 1; outside, grid_sample gives 0.
            places.append((2 * (pixel - first) + 1) / small - 1)
        x, y = places
        shape = (-1, sizes[1], sizes[0])
        grid = torch.stack([x[:, None, :].expand(shape), y[:, :, None].expand(shape)], 3)
        return functional.grid_sample(inputs, grid, align_corners=False)


RANDOMIZATIONS: dict[str, type[Randomized]] = {
    "weight-noise": WeightNoise,
    "spike-pruning": SpikePruning,
    "input-noise": InputNoise,
    "resize-pad": ResizeAndPad,
}


def randomize(model: nn.Module, kind: str, strength: float) -> Randomized:
    """A copy of a model with another randomization; its own, if it has any, stays too.

    To train with it, build with it: ``train_classifier(lambda: randomize(net(), …), …)``.

    Args:
        model: (batch, *shape) images → (batch, classes) logits. Only its membranes are reset.
        kind: of ``RANDOMIZATIONS``; strength: see there.

    Raises:
        InputError: there is no such kind, or it cannot be applied to this model so strongly.
    """
    if kind not in RANDOMIZATIONS:
        raise InputError(f"randomization is {kind!r}; choose from {', '.join(RANDOMIZATIONS)}")
    copied = copy_model(model)
    return RANDOMIZATIONS[kind](copied, strength).train(model.training)


@contextmanager
def hooked(
    model: nn.Module, kinds: tuple[type[nn.Module], ...], hook: Callable[..., Any]
) -> Iterator[None]:
    """A forward hook on all modules of some kinds while inside; before and after, the model is
    as it was, so that it can be copied and exported without what the hook does."""
    handles = [m.register_forward_hook(hook) for m in model.modules() if isinstance(m, kinds)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _refuse_hardware(model: nn.Module, why: str) -> None:
    for module in model.modules():
        if isinstance(module, RandomTauLeaky) and module.hardware is not None:
            raise InputError(
                f"the {type(model).__name__} computes in the chip's integers: {why}; randomize the"
                " float model, or the input"
            )


def _refuse_events(model: nn.Module) -> None:
    if any(isinstance(module, RepeatSteps) and module.events for module in model.modules()):
        raise InputError("the model takes events; this randomization is for images")
