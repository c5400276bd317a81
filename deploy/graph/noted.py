"""Values that the metadata of a NIR node holds as a group, read as one object."""

from collections.abc import Callable
from typing import Any, TypeVar

import nir

from stochi.errors import GraphError, InputError, first_line

_SHOWN = 200
Read = TypeVar("Read")


def read_noted(
    name: str, node: nir.NIRNode, key: str, make: Callable[[dict[str, Any]], Read]
) -> Read | None:
    """Read a group of a node's metadata; None if the node has none.

    Args:
        name: the node's name.
        key: the group's name.
        make: makes the object of the group's values.

    Raises:
        GraphError: the group is incomplete or not valid.
    """
    noted = node.metadata.get(key) if isinstance(node.metadata, dict) else None
    if noted is None:
        return None
    try:
        return make(noted)
    except InputError as error:
        raise GraphError(f"node {name!r}: metadata {key!r}: {error}") from error
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        cause = first_line(error)[:_SHOWN]
        raise GraphError(f"node {name!r}: metadata {key!r} is incomplete: {cause}") from error
