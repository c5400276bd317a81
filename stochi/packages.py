"""Versions: of Stochi, and of the packages that are installed."""

from importlib.metadata import PackageNotFoundError, version

VERSION = "0.1.0"
"""Version of Stochi, also where it runs from a checkout that nobody installed."""


def version_of(name: str) -> str | None:
    """Return the installed version of a package, None if it is missing."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
