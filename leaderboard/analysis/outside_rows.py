"""The rows from outside that a run has imported: checked against their hashes, and judged at the board's thresholds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmark.description import read
from benchmark.errors import BenchError, message_of
from benchmark.files import read_json, sha256_of
from leaderboard.judge.board import judge
from leaderboard.judge.cell import Cell
from leaderboard.judge.outside import OUTSIDE, Imported, OutsideRow, Square, called_by_jobs, entry_path, ran
from leaderboard.judge.run import Run, read_run
from leaderboard.judge.tracks import Track

_AGAIN = "remove it and import the bundle again"


def outside_rows(folder: Path, tracks: Sequence[Track]) -> list[OutsideRow]:
    """The rows from outside of the run in `folder`, by name, judged as its `tracks` are.

    One that is damaged says so and shows nothing: it costs the board nothing.
    """
    rows = [_row(folder, path.stem, tracks) for path in sorted((folder / OUTSIDE).glob("*.json"))]
    return sorted(rows, key=lambda one: (one.row, one.sha256))


def read_entry(folder: Path, sha256: str) -> Imported:
    """What the run in `folder` says of a bundle. Raises BenchError where it has not imported it, or it is damaged."""
    path = entry_path(folder, sha256)
    if not path.exists():
        raise BenchError(f"{folder} has imported no bundle {sha256}: bench import does")
    return read(Imported, read_json(path, _AGAIN), str(path), _AGAIN)


def _row(folder: Path, sha256: str, tracks: Sequence[Track]) -> OutsideRow:
    entry = None
    try:
        entry = read_entry(folder, sha256)
        if entry.state == "refuted":
            return OutsideRow(sha256, entry.row, "refuted", entry, "a replay came out different")
        kept = folder / OUTSIDE / sha256
        for name, digest in entry.files.items():
            if sha256_of(kept / name, follow=False) != digest:
                raise BenchError(f"{name} is not what was imported")
        return OutsideRow(sha256, entry.row, entry.state, entry, squares=squares(read_run(kept), tracks))
    except (BenchError, OSError, KeyError, TypeError, ValueError, AttributeError, IndexError, StopIteration) as error:
        reason = message_of(error, 500) or type(error).__name__
        return OutsideRow(sha256, entry.row if entry else "", "damaged", entry, reason)


def squares(run: Run, tracks: Sequence[Track]) -> list[Square]:
    """The squares of a bundle's run that have a verdict, each examination once; innocents last."""
    found: dict[tuple[bool, str, str], dict[str, Cell]] = defaultdict(dict)
    code: dict[tuple[bool, str, str], dict[str, str]] = {}
    for cell in judge(run, like=tracks).cells:
        if cell.jobs:
            called = called_by_jobs(run, cell)
            name = cell.innocent, called["scheme"], called["attack"]
            found[name].setdefault(cell.jobs["judged"], cell)
            code[name] = dict(_code(run, cell))
    return [
        Square(f"unmarked under {name[1]}" if name[0] else name[1], name[2], list(cells.values()), code[name])
        for name, cells in sorted(found.items())
    ]


def _code(run: Run, cell: Cell) -> Iterator[tuple[str, str]]:
    """The digest of each plug-in's code, by what a person calls it."""
    for one in ran(run, cell):
        yield f"{one['role']} {one['name']}", str(one["code"])
