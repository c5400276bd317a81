"""The digits of scikit-learn: 1,797 real handwritten digits of 8×8 pixels, part of that package."""

import random

import numpy as np
import torch

from stochi.data.images import Images

TEST_SHARE = 5
SPLIT_SEED = 0


def load_digits() -> tuple[Images, Images]:
    """Load the training part and the held-out test part, shuffled and split always the same way.

    The images come from the UCI set "Optical Recognition of Handwritten Digits" (Alpaydin and
    Kaynak, 1998); pixel values 0 to 16 become 0 to 1. One fifth (359 images) is held out.
    """
    state = random.getstate()  # which the import moves
    from sklearn.datasets import load_digits as load  # slow to import, not needed for other sets

    random.setstate(state)
    pixels, labels = load(return_X_y=True)
    order = np.random.default_rng(SPLIT_SEED).permutation(len(labels))
    inputs = torch.from_numpy((pixels[order] / 16).astype(np.float32)).view(-1, 1, 8, 8)
    targets = torch.from_numpy(labels[order].astype(np.int64))
    held_out = len(labels) // TEST_SHARE
    return (
        Images(inputs[held_out:], targets[held_out:]),
        Images(inputs[:held_out], targets[:held_out]),
    )
