"""Compile the kernel once and keep it, beside the source or in the user's cache folder."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from stochi.hardware import fixed_point, neuron, noise
from stochi.sim.compiled import kernel, neurons, synapses, tables

_COMPILED_FROM = (fixed_point, neuron, noise, kernel, neurons, synapses, tables)


@cache
def compiled_kernel() -> Any:
    """The loop of ``kernel.make_kernel``, from the sources as they are now."""
    digest = hashlib.sha256()
    for module in _COMPILED_FROM:
        assert module.__file__ is not None
        digest.update(Path(module.__file__).read_bytes())
    try:
        return kernel.make_kernel(digest.hexdigest(), cache=True)
    except RuntimeError:  # numba found no folder that it may write to
        return kernel.make_kernel(digest.hexdigest(), cache=False)
