"""The garbage collector, paused where plans are made and records read by the million, and nothing is thrown away.

`python tests/many_cells.py --cells 10000` measures what reading, judging and each page take.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """Without collections of cycles inside: each would walk over everything made so far again and find nothing."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()
