"""The published boards by name, `published:quick`. They lie in the repository: no installed package has them."""

from __future__ import annotations

from pathlib import Path

from benchmark.description import did_you_mean
from benchmark.errors import BenchError

PREFIX = "published:"
PUBLISHED = Path(__file__).parents[1] / "published"
_INSTALLED = (
    "for published boards are not part of an installed package: run bench in a clone of the repository, installed "
    "with pip install -e ."
)


def board_names() -> list[str]:
    """What the published boards are called, sorted; none where the package was installed without them."""
    return sorted(path.parent.name for path in PUBLISHED.glob("*/run.json.gz"))


def known_boards() -> list[str]:
    """`board_names`. Raises BenchError where there are none."""
    if names := board_names():
        return names
    raise BenchError(f"the published boards are not here, {_INSTALLED}")


def published_folder(name: str) -> Path:
    """The folder of a published board. name: with or without `published:` before it. Raises BenchError."""
    name, boards = name.removeprefix(PREFIX), board_names()
    if name in boards:
        return PUBLISHED / name
    if not boards:
        raise BenchError(f"the published board {name!r} is not here, {_INSTALLED}")
    raise BenchError(f"no published board is called {name!r}: {did_you_mean(name, boards, 'there are')}")
