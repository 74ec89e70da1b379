"""Importing a row that somebody else ran: it stands on a run's pages, unverified until its bundle was replayed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmark import __version__
from benchmark.app.bundle_form import MALFORMED, Bundle, check_files, read_bundle
from benchmark.app.replay import RowReplay
from benchmark.errors import BenchError
from benchmark.files import regular, replaced, write_whole
from benchmark.identity import canonical
from leaderboard.analysis.outside_rows import read_entry, squares
from leaderboard.judge.board import Board, judge
from leaderboard.judge.outside import KEPT, OUTSIDE, Imported, Replayed, entry_path
from leaderboard.judge.published import PUBLISHED
from leaderboard.judge.run import Run, find_run
from leaderboard.pages.export import write_pages
from leaderboard.pages.publish import remake
from leaderboard.pages.wording import square_name

_THRESHOLDS = ("about", "alpha", "budget", "seeds", "strict", "timeout")  # of a profile: they decide no record


def import_row(bundle: Path, board: Board, folder: Path) -> tuple[str, Imported]:
    """Keep what pages need of `bundle` with the run in `folder`, whose board is `board`; its SHA-256 and its entry.

    Nothing of it is run, and no record of it gets into the store. Raises BenchError where the bundle is none, was made
    under other conditions than the board, or was imported before.
    """
    manifest = check_files(bundle)
    found = read_bundle(bundle)
    _comparable(found, board)
    try:
        squares(found.run, board.tracks)
    except MALFORMED as error:
        why = f"{type(error).__name__}: {error}".replace("\n", " ")
        raise BenchError(f"{bundle} can't be judged ({why}): fetch a fresh copy") from error
    path = entry_path(folder, manifest.sha256)
    if path.exists():
        raise BenchError(f"{folder} has this bundle already: `bench replay {bundle} --run {folder.name}` verifies it")
    kept = {name: digest for name, digest in manifest.files.items() if KEPT.fullmatch(name)}
    row = found.form.row or square_name(found.cells[0])
    entry = Imported(1, row, str(found.run.described["version"]), kept, _now())
    try:
        aside = folder / OUTSIDE / manifest.sha256
        shutil.rmtree(aside, ignore_errors=True)  # of an import that was stopped
        for name in kept:
            with regular(bundle / name, follow=False) as file, replaced(aside / name) as copy:
                shutil.copyfileobj(file, copy)
    except OSError as error:
        raise BenchError(f"{folder} can't be written ({error.strerror}): choose another --results") from error
    _write(path, entry)
    return manifest.sha256, entry


def note_replay(found: RowReplay, folder: Path) -> Imported:
    """Write down what a replay found beside the row that the run in `folder` imported. Raises BenchError."""
    notes = tuple(note[:500] for note in found.notes[:100])
    outcome: Any = found.outcome
    entry = replace(read_entry(folder, found.sha256), replayed=Replayed(outcome, __version__, _now(), notes))
    _write(entry_path(folder, found.sha256), entry)
    return entry


def remake_pages(folder: Path) -> None:
    """Write the pages of a run anew, in the repository those that are published."""
    if folder.absolute().parent == PUBLISHED:
        remake(folder.absolute())
    else:
        write_pages(judge(find_run(folder)), folder)


def _write(path: Path, entry: Imported) -> None:
    try:
        write_whole(path, (json.dumps(asdict(entry), indent=1) + "\n").encode())
    except OSError as error:
        raise BenchError(f"{path} can't be written ({error.strerror}): choose another --results") from error


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _comparable(found: Bundle, board: Board) -> None:
    """Raises BenchError where the row's nets, data or thieves are none that the board has.

    What run.json says of them is compared, and what the payloads of the jobs say, which is what was run.
    """
    theirs, own = (_conditions(run) for run in (found.run, board.run))
    if wrong := next((name for name, values in theirs.items() if not values <= own[name]), None):
        one, other = found.run.profile, board.run.profile
        fields = [name for name in {**one, **other} if name not in _THRESHOLDS and one.get(name) != other.get(name)]
        differ = f" (they differ in {', '.join(fields)})" if fields else ""
        raise BenchError(
            f"the row was run with another {wrong} than {board.run.described['run']}{differ}: import it into a run of "
            f"the same profile, or run it again by the one of {board.run.described['run']}"
        )


def _conditions(run: Run) -> Mapping[str, set[str]]:
    profile = {name: value for name, value in run.profile.items() if name not in _THRESHOLDS}
    payloads = [record["job"] for record in run.records.values()]
    return {
        "profile": {canonical(profile)},
        "task or training": _values(payloads, "world"),
        "data set": _values(payloads, "data"),
        "thief": _values(payloads, "thief"),
    }


def _values(payloads: Iterable[Mapping[str, Any]], name: str) -> set[str]:
    return {canonical(one[name]) for one in payloads if name in one}
