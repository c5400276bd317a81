"""Numbers of a torch model that are none: NaN and infinities."""

import torch
from torch import nn


def find_not_finite(model: nn.Module) -> str | None:
    """The name of a parameter or buffer that holds NaN or infinite values, if there is one."""
    for name, values in [*model.named_parameters(), *model.named_buffers()]:
        if values.is_floating_point() and not bool(torch.isfinite(values).all()):
            return name
    return None
