"""Versions of the packages that are installed."""

from importlib.metadata import PackageNotFoundError, version


def version_of(name: str) -> str | None:
    """Return the installed version of a package, None if it is missing."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
