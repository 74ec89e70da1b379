"""rich's console, as the commands use it."""

from __future__ import annotations

from typing import NoReturn

from rich.console import Console


class Terminal(Console):
    """It leaves to the command what a closed output means, as in `bench report | head -1`; rich would end with 1."""

    def on_broken_pipe(self) -> NoReturn:
        raise  # the BrokenPipeError that is being handled
