"""Other randomizations than random τ, for comparison, in training and in inference."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar

import snntorch as snn
import torch
from torch import nn
from torch.nn import functional

from stochi.arguments import check_arguments
from stochi.errors import InputError
from stochi.export.copying import copy_model
from stochi.train.networks import RepeatSteps
from stochi.train.twin.model import Twin


class Randomized(nn.Module):
    """A model that draws something anew for every row of every forward pass.

    Rows draw independently of each other, from torch's default generator. Attacks may therefore
    put the runs that they average side by side in one batch, and their seed repeats the draws.

    Args:
        model: maps (batch, *shape) to (batch, classes); it is used without a copy.
        strength: amount of randomness, at least 0 and below ``below``; each randomization defines
            its unit.

    Raises:
        InputError: the strength is out of range, or the model does not have what the randomization
            needs.
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

    After parametric noise injection (He et al., CVPR 2019): W + α·η, where η has the standard
    deviation of the layer's weights. In the paper α is learned for each layer, and a batch shares
    its noisy weights. Here α is the strength, and each row has its own weights, which stay for all
    time steps of its pass. They take batch × weights numbers of memory.
    """

    def __init__(self, model: nn.Module, strength: float) -> None:
        super().__init__(model, strength)
        _check_not_a_twin(model, "weight noise would leave the chip's weight grid")
        layers = [m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
        if not layers:
            raise InputError(f"the {type(model).__name__} has no Linear or Conv2d to add noise to")
        for layer in layers:
            if isinstance(layer, nn.Conv2d) and layer.padding_mode != "zeros":
                raise InputError(
                    f"a Conv2d has padding_mode {layer.padding_mode!r}; weight noise supports"
                    " 'zeros'"
                )

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the model's output with new weights for each row."""
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
        """Add to a layer's output the product of its input and the noise, (batch, *weight)."""
        (inputs,) = arguments
        if layer not in drawn:
            weight = layer.weight.detach()
            shape = (len(inputs), *weight.shape)
            noise = torch.randn(shape, dtype=weight.dtype, device=weight.device)
            drawn[layer] = self.strength * weight.std() * noise
        noise = drawn[layer]
        if isinstance(layer, nn.Linear):
            return output + torch.einsum("b...i,boi->b...o", inputs, noise)
        # Each row of the batch becomes a group of one convolution.
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
    """Random removal of spikes; the others are scaled up to keep the mean.

    After stochastic activation pruning (Dhillon et al., ICLR 2018), which draws r activations with
    replacement, in proportion to their size. All spikes have the same size, so all are kept with
    the same probability, 1 − strength, independently and at every time step.
    """

    below = 1.0

    def __init__(self, model: nn.Module, strength: float) -> None:
        super().__init__(model, strength)
        _check_not_a_twin(model, "its spikes are 0 or 1 and cannot be scaled up")
        neurons = [m for m in model.modules() if isinstance(m, snn.SpikingNeuron)]
        if not neurons:
            raise InputError(f"the {type(model).__name__} has no spiking neuron of snnTorch")

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the model's output from the remaining spikes."""
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
    Here pixels stay in [0, 1], like the chip's 8-bit input.
    """

    def __init__(self, model: nn.Module, strength: float) -> None:
        super().__init__(model, strength)
        _check_shows_images(model)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the model's output on noisy images."""
        return self.model((inputs + self.strength * torch.randn_like(inputs)).clamp(0, 1))


class ResizeAndPad(Randomized):
    """Images made smaller and placed at random on black ones of the original size.

    After Xie et al., ICLR 2018, who place an enlarged image on a larger canvas, which needs a
    network for images of any size. Widths are whole pixels, uniform from ⌈(1 − strength)·width⌉ to
    the width; heights keep the ratio of the sides, rounded. Resizing is bilinear.
    """

    below = 1.0

    def __init__(self, model: nn.Module, strength: float) -> None:
        super().__init__(model, strength)
        _check_shows_images(model)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the model's output on resized, padded (batch, channels, height, width) images."""
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
            # The edges of the small image are at -1 and 1; grid_sample gives 0 outside.
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
    """Copy a model and add a randomization; its own randomness stays.

    For training, randomize in ``build``: ``train_classifier(lambda: randomize(net(), …), …)``.

    Args:
        model: maps (batch, *shape) images to (batch, classes) logits. Its membranes are reset; the
            rest of it does not change.
        kind: one of ``RANDOMIZATIONS``.
        strength: amount of randomness, as that class defines it.

    Raises:
        InputError: the kind is unknown, the strength is out of its range, or the model does not
            have what the randomization needs.
    """
    check_arguments(randomize, locals())
    if kind not in RANDOMIZATIONS:
        raise InputError(f"randomization is {kind!r}; choose from {', '.join(RANDOMIZATIONS)}")
    copied = copy_model(model)
    return RANDOMIZATIONS[kind](copied, strength).train(model.training)


@contextmanager
def hooked(
    model: nn.Module, kinds: tuple[type[nn.Module], ...], hook: Callable[..., Any]
) -> Iterator[None]:
    """Register a forward hook on all modules of some kinds while inside.

    Outside, the model has no hook, so it can be copied and exported without the hook's effect.
    """
    handles = [m.register_forward_hook(hook) for m in model.modules() if isinstance(m, kinds)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _check_not_a_twin(model: nn.Module, reason: str) -> None:
    """Raise InputError if the model is a twin."""
    for module in model.modules():
        if isinstance(module, Twin):
            raise InputError(
                f"the {type(model).__name__} computes in the chip's integers: {reason}; randomize"
                " the float model, or the input"
            )


def _check_shows_images(model: nn.Module) -> None:
    """Raise InputError if the model takes events."""
    if any(isinstance(module, RepeatSteps) and module.events for module in model.modules()):
        raise InputError("the model takes events; this randomization is for images")
