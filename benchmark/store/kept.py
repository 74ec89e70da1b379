"""What a process keeps at hand from one job for the next, within bounds."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """The values that were used last, as many as `size` lets into `most`; what is larger alone is not kept.

    The same value is handed out again and again: it must be one that nobody can change, or be copied by whoever takes
    it.
    """

    def __init__(self, most: int, size: Callable[[Value], int] = lambda value: 1) -> None:
        self._most, self._size = most, size
        self._values: dict[Hashable, Value] = {}  # the one used last stands last

    def get(self, name: Hashable, make: Callable[[], Value]) -> Value:
        """The value called `name`, made where it isn't at hand."""
        value = self._values.pop(name) if name in self._values else make()
        if self._size(value) <= self._most:
            self._values[name] = value
            while sum(map(self._size, self._values.values())) > self._most:
                del self._values[next(iter(self._values))]
        return value
