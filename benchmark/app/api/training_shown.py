"""What a person sees while one model is trained: the epoch, and about how long the rest takes.

One line that is drawn anew on a terminal or in a notebook; elsewhere a line now and then.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.text import Text

from benchmark.execution.progress import duration
from benchmark.training.epochs import listening

REDRAWN_AFTER, LINE_AFTER = 0.5, 1.0  # least seconds between two states of a line, and between two lines
TENTHS = 10  # of a training: one line for each at most


class TrainingShown:
    """Shows what is trained `with shown("marking"):`, in the way that suits the console."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock = console, clock

    @contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        console = self._console
        if console.is_jupyter:
            from IPython.display import display  # there wherever a console finds itself in a notebook

            shown = display({"text/plain": what}, raw=True, display_id=True)
            with listening(
                _Told(what, lambda line: shown.update({"text/plain": line}, raw=True), REDRAWN_AFTER, self._clock)
            ):
                yield
        elif console.is_terminal and not console.is_dumb_terminal:
            with (
                Live(Text(what), console=console, auto_refresh=False, transient=True) as live,
                listening(_Told(what, lambda line: live.update(Text(line), refresh=True), REDRAWN_AFTER, self._clock)),
            ):
                yield
        else:
            write = _Told(what, lambda line: console.print(Text(line), soft_wrap=True), LINE_AFTER, self._clock, TENTHS)
            with listening(write):
                yield


class _Told:
    """How far a training is, in a line; each training that begins starts anew.

    apart: least seconds between two lines. shares: how many parts of a training have one line at most; None: any.
    """

    def __init__(
        self, what: str, show: Callable[[str], object], apart: float, clock: Callable[[], float],
        shares: int | None = None,
    ) -> None:  # fmt: skip
        self._what, self._show, self._apart, self._clock, self._shares = what, show, apart, clock, shares
        self._began = self._last = 0.0
        self._share = 0

    def __call__(self, done: int, of: int) -> None:
        now, share = self._clock(), done * (self._shares or of) // max(1, of)
        if not done:
            self._began = now
        elif done == of or share == self._share or now - self._last < self._apart:
            return
        self._last, self._share = now, share
        left = f", about {duration((now - self._began) / done * (of - done))} left" if done else ""
        self._show(f"{self._what}: epoch {done + 1} of {of}{left}")
