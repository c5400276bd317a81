"""What is installed beside what Stochi asks for, and what to type where the two differ."""

from collections.abc import Iterator, Mapping
from importlib import metadata

from packaging.requirements import Requirement

from stochi.packages import version_of

EXTRAS = {
    "events": "event sets of tonic and .aedat4 files",
    "onnx": "ONNX models",
    "dask": "studies on a cluster",
}
"""Extras that a command asks for, and what they are for."""


def find_advice() -> list[str]:
    """Return a sentence for each package whose version does not fit, and each missing extra.

    Nothing is looked up in the network. A folder of sources that is not installed asks for nothing.
    """
    asked = [Requirement(text) for text in metadata.requires("stochi") or []]
    return [*_of_versions(asked), *_of_extras(asked)]


def _of_versions(asked: list[Requirement]) -> Iterator[str]:
    for one in asked:
        if not _applies(one, {"extra": ""}) and not _belongs_to(one, *EXTRAS, "lava"):
            continue
        found, needed = version_of(one.name), f"{one.name}{one.specifier}"
        if found is None and "extra" not in str(one.marker or ""):
            yield f"{one.name} is missing; type: pip install '{needed}'"
        elif found is not None and not one.specifier.contains(found, prereleases=True):
            yield f"{one.name} {found} does not fit; type: pip install '{needed}'"


def _of_extras(asked: list[Requirement]) -> Iterator[str]:
    for extra, purpose in EXTRAS.items():
        names = [one.name for one in asked if _belongs_to(one, extra)]
        missing = [name for name in names if version_of(name) is None]
        if missing:
            yield f"{' and '.join(missing)} for {purpose}: pip install 'stochi[{extra}]'"


def _belongs_to(one: Requirement, *extras: str) -> bool:
    return "extra" in str(one.marker) and any(_applies(one, {"extra": e}) for e in extras)


def _applies(one: Requirement, where: Mapping[str, str]) -> bool:
    return one.marker is None or one.marker.evaluate(dict(where))
