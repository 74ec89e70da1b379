"""Whoever wants to know how far a training is may listen: the loop tells of every epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[int, int], None]  # is told how many epochs are done, and of how many

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Every training that begins within tells `listener` before each of its epochs, and behind the last one."""
    before = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(before)


def steps_of(epochs: int, each: int) -> Iterator[int]:
    """The numbers of all steps, `each` of them in an epoch, told of by epochs.

    Steps that a GPU repeats are only handed to it: it may be some way behind what is told.
    """
    tell = _listener.get()
    for epoch in range(epochs):
        if tell is not None:
            tell(epoch, epochs)
        yield from range(epoch * each, (epoch + 1) * each)
    if tell is not None:
        tell(epochs, epochs)
