"""What lets one line of arithmetic run on numpy, on torch and in a compiled loop.

Stochi itself needs torch and numba. A folder of ``stochi.deploy.write_lava`` carries copies of the
arithmetic to machines that have neither: there the functions are plain ones, on numpy's arrays.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

try:
    from numba.extending import overload, register_jitable
except ImportError:

    def register_jitable(*function: Callable, **options: Any) -> Any:
        """Leave a function as it is."""
        return function[0] if function else register_jitable

    def overload(function: Callable) -> Any:
        """Leave out what only a compiled loop takes."""
        return register_jitable


__all__ = ["library_of", "overload", "register_jitable"]


def library_of(values: Any) -> Any:
    """Return the library whose array this is, numpy or torch; both have ``stack``."""
    if isinstance(values, np.ndarray | np.generic):
        return np
    import torch

    return torch
