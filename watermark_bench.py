"""The command `bench`, in a module whose name nobody else has: what runs are the packages that lie beside it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("benchmark", "schemes", "attacks", "leaderboard")
HOME = Path(__file__).resolve().parent


def others() -> Iterator[tuple[str, str]]:
    """The folders of the import path that hold another package of one of our names, each with the name."""
    for folder in sys.path:
        if Path(folder).resolve() != HOME:
            for name in PACKAGES:
                if Path(folder, name, "__init__.py").is_file() or Path(folder, f"{name}.py").is_file():
                    yield folder, name


def main() -> None:
    """The console script. Folders with another `attacks`, such as PYTHONPATH's, go to the end of the import path, which
    the processes that it starts inherit.
    """
    for folder in dict.fromkeys(folder for folder, _ in others()):
        sys.path.remove(folder)
        sys.path.append(folder)
    from benchmark.cli import main as bench

    bench()
