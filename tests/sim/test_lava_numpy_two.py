"""Lava's port and convolution as numpy 2 needs them; whole networks are in ``test_stock_lava``."""

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from stochi.sim.lava.compatibility import import_lava
from stochi.sim.lava.numpy_two import adapt_convolutions

pytestmark = pytest.mark.lava


@pytest.fixture
def lava_conv() -> Any:
    import_lava()
    adapt_convolutions()
    from lava.proc.conv import utils

    return utils.conv


def test_a_reshaped_port_gives_either_shape_and_warns_about_nothing() -> None:
    import_lava()
    from lava.magma.core.process.ports.ports import ReshapePort

    port, values = ReshapePort((6,), (2, 3)), np.arange(6).reshape(2, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(port.get_transform_func_fwd()(values), values.ravel())
        assert np.array_equal(port.get_transform_func_bwd()(values.ravel()), values)


@pytest.mark.parametrize(
    ("channels", "groups", "size"), [(130, 1, (3, 4)), (130, 65, (3, 4)), (2, 1, (150, 120))]
)
def test_a_convolution_larger_than_its_int8_sizes(
    lava_conv: Any, channels: int, groups: int, size: tuple[int, int]
) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(-255, 256, (channels, *size))
    weight = rng.integers(-128, 128, (channels, channels // groups, 2, 3))
    theirs = lava_conv(
        images.transpose(2, 1, 0),
        weight.transpose(0, 3, 2, 1)[:, ::-1, ::-1].astype(np.int32),
        *(np.array(pair, np.int8) for pair in [(3, 2), (1, 2), (9, 8), (1, 2)]),
        np.int8(groups),
    )
    ours = functional.conv2d(
        torch.as_tensor(images, dtype=torch.double)[None],
        torch.as_tensor(weight, dtype=torch.double),
        stride=(2, 1),
        padding=(8, 9),
        dilation=(2, 1),
        groups=groups,
    )
    assert np.array_equal(theirs.transpose(2, 1, 0), ours[0].numpy())


def test_lava_s_convolution_is_wrapped_once(lava_conv: Any) -> None:
    from lava.proc.conv import utils

    adapt_convolutions()
    assert utils.conv is lava_conv
