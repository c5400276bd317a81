"""Compilation of the kernel, once for all Programs."""

from functools import cache
from typing import Any

from stochi.hardware import fixed_point, lfsr, neuron, noise
from stochi.hardware.compilation import compile_and_keep
from stochi.sim.engine.compiled import kernel, neurons, synapses, tables

_COMPILED_FROM = (fixed_point, lfsr, neuron, noise, kernel, neurons, synapses, tables)


@cache
def compiled_kernel() -> Any:
    """Return the compiled loop of ``kernel.make_kernel``, from the current sources."""
    return compile_and_keep(kernel.make_kernel, _COMPILED_FROM)
