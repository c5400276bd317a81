"""A model of streams as a model of images, for attacks that take images."""

import torch
from torch import nn

from stochi.arguments import check_arguments


class StreamModel(nn.Module):
    """A model of streams that takes the batch first, as attacks on images show it.

    An attack then sees a stream as one image (time steps, *shape), and moves each of its time
    steps on its own: ``PGD(0.1)(StreamModel(model), streams.transpose(0, 1), labels)``.

    Args:
        model: (time steps, batch, *shape) → (batch, classes) logits.
    """

    def __init__(self, model: nn.Module) -> None:
        check_arguments(StreamModel.__init__, locals())
        super().__init__()
        self.model = model

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Answer (batch, time steps, *shape) inputs.

        Returns:
            What the model answers, (batch, classes) logits.
        """
        answer: torch.Tensor = self.model(inputs.transpose(0, 1))
        return answer
