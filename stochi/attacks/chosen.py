"""Attacked images, and which part of an attack made each of them."""

from typing import NamedTuple

import torch


class Candidate(NamedTuple):
    """Attacked images of one part of an attack.

    Attributes:
        name: name of the part in reports, without the budget.
        images: the images.
    """

    name: str
    images: torch.Tensor


class Chosen(NamedTuple):
    """What an attack found.

    Attributes:
        inputs: the attacked inputs.
        by: name of the part that made each sample; "" if that is not known.
    """

    inputs: torch.Tensor
    by: tuple[str, ...]
