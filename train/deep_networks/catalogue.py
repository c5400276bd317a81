"""The deep networks by name."""

from collections.abc import Callable
from dataclasses import dataclass

from stochi.train.deep_networks.sew_resnet import LAYERS as SEW_LAYERS
from stochi.train.deep_networks.sew_resnet import count_sew_weights, sew_resnet19
from stochi.train.deep_networks.units import check_random_layers
from stochi.train.deep_networks.vgg import LAYERS as VGG_LAYERS
from stochi.train.deep_networks.vgg import check_vgg_input, count_vgg_weights, vgg9
from stochi.train.networks import RepeatSteps

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class DeepNetwork:
    """A deep network of any width.

    Attributes:
        build: builds it, with the arguments of ``sew_resnet19``.
        layers: number of layers of neurons on its main path.
        count_weights: input shape, number of classes and width → number of weights.
        check_input: raises InputError for a shape that it does not take.
    """

    build: Callable[..., RepeatSteps]
    layers: int
    count_weights: Callable[[Shape, int, int], int]
    check_input: Callable[[Shape], None] = lambda shape: None

    def check(self, input_shape: Shape, random_layers: int | None) -> None:
        """Raise InputError unless it can be built for a shape, with so many random layers."""
        self.check_input(input_shape)
        check_random_layers(random_layers, self.layers)


DEEP_NETWORKS = {
    "sew-resnet19": DeepNetwork(sew_resnet19, SEW_LAYERS, count_sew_weights),
    "vgg9": DeepNetwork(vgg9, VGG_LAYERS, count_vgg_weights, check_vgg_input),
}
"""The networks by the names of ``stochi train --network``."""
