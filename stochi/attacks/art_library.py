"""The adversarial robustness toolbox (ART): whether it is there, and keeping it repeatable."""

import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

INSTALL = "pip install 'adversarial-robustness-toolbox>=1.20.1,<1.21' 'numpy<2'"


class ArtUnavailable(ImportError):
    """ART cannot be used here; the message says what to type."""


def require_art() -> None:
    """Raise ArtUnavailable where ART is not installed or fails to import."""
    if importlib.util.find_spec("art") is None:
        raise ArtUnavailable(f"this attack is ART's, which is not installed; type: {INSTALL}")
    try:
        importlib.import_module("art.attacks.evasion")
    except ImportError as error:
        raise ArtUnavailable(f"ART's import failed ({error}); type: {INSTALL}") from error


@contextmanager
def seeded_numpy(seed: int) -> Iterator[None]:
    """ART draws from numpy's global generator: seed it, and put it back."""
    state = np.random.get_state()
    np.random.seed(int(seed) % 2**32)
    try:
        yield
    finally:
        np.random.set_state(state)
