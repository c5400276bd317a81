"""Properties that are computed once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

Value = TypeVar("Value")


class cached_property(Generic[Value]):
    """``functools.cached_property`` without a lock, as it is from Python 3.12 on.

    A forked child inherits a lock that another thread of its parent holds, and waits forever. Two
    threads may compute a value twice instead; all are pure functions of what does not change.
    """

    def __init__(self, compute: Callable[[Any], Value]) -> None:
        self.compute, self.__doc__ = compute, compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> cached_property[Value]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...

    def __get__(self, instance: object, owner: type) -> Value | cached_property[Value]:
        if instance is None:
            return self
        value = self.compute(instance)
        vars(instance)[self.name] = value  # found before this descriptor from now on
        return value
