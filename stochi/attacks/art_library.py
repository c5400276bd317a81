"""The adversarial robustness toolbox (ART): its import, and its random numbers."""

import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

INSTALL = "pip install 'adversarial-robustness-toolbox>=1.20.1,<1.21' 'numpy<2'"


class ArtUnavailable(ImportError):
    """ART cannot be used here; the message gives the command that installs it."""


def require_art() -> None:
    """Raise ArtUnavailable if ART is not installed or fails to import."""
    if importlib.util.find_spec("art") is None:
        raise ArtUnavailable(f"this attack needs ART, which is not installed; type: {INSTALL}")
    try:
        importlib.import_module("art.attacks.evasion")
    except ImportError as error:
        raise ArtUnavailable(f"ART's import failed ({error}); type: {INSTALL}") from error


@contextmanager
def seeded_numpy(seed: int) -> Iterator[None]:
    """Seed numpy's global generator, from which ART draws, and restore its state at the end."""
    state = np.random.get_state()
    np.random.seed(int(seed) % 2**32)
    try:
        yield
    finally:
        np.random.set_state(state)
