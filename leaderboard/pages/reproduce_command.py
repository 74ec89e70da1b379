"""The command that reproduces one cell, quoted for a shell."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell, in_images, matrix_thief
from leaderboard.judge.tracks import read_tracks
from leaderboard.judge.verdicts import NO_BETTER_THAN_SCRATCH

# what of the run's own command decides its results; the rest selects, or says where and how fast to run
_KEPT = ("--profile", "--task", "--data-root", "--timeout", "--secret", "--plugin", "--alpha", "--budget")
_ONE_CELL = "one-cell"


def reproduce(board: Board, cell: Cell) -> str:
    """`bench run` of this cell alone, at the board's thresholds, in a folder of its own.

    Results folders, workers and devices are left to the reader. The seeds are as many as the cell's replicate needs,
    and the scratch control is included where the verdict's flag compares the attack with it.
    """
    options = _options(board.run.described["command"])
    flagged = NO_BETTER_THAN_SCRATCH in cell.verdict.flags
    scratch = board.attacks_by_job.get(cell.jobs["scratch"], []) if flagged else []
    words = ["bench", "run", "--schemes", cell.scheme, "--attacks", ",".join(dict.fromkeys([cell.attack, *scratch]))]
    words += ["--profile", *(options.get("--profile") or [board.run.profile["name"]])[-1:]]
    thresholds = _thresholds(board)
    for name in _KEPT[1:]:
        values = thresholds.get(name, options.get(name, []))
        words += [word for value in values for word in (name, value)]
    words += ["--strict"] if board.track.strict else []
    if cell.task == board.tracks[0].task:
        words += _thief(board, cell, options)
    if board.run.profile["seeds"] != 1 or "--seeds" in options:
        words += ["--seeds", str(cell.replicate + 1)]
    return " ".join(_quoted(word) for word in [*words, "--run", _ONE_CELL])


def _thief(board: Board, cell: Cell, options: Mapping[str, Sequence[str]]) -> list[str]:
    """The options that name the cell's thief, where it is not the profile's or there are several."""
    own, thief = matrix_thief(board.run.profile, cell.task), in_images(cell.thief, board.tracks[0])
    if thief is None:
        return []
    words = []
    for name in ("pool", "labelled", "unlabelled"):
        value, option = getattr(thief, name), f"--thief-{name}"
        if board.beside or option in options or value != getattr(own, name):
            words += [option, str(value)]
    return words


def _thresholds(board: Board) -> dict[str, list[str]]:
    """The board's alpha and budget (points), where they are not those of the run."""
    own = board.run.once("tracks", lambda: read_tracks(board.run.description.data))
    found = {} if board.alpha == own[0].alpha else {"--alpha": [repr(board.alpha)]}
    if any(now.budget != then.budget for now, then in zip(board.tracks, own, strict=True)):
        found["--budget"] = [repr(board.budget)]
    return found


@lru_cache(maxsize=16)
def _options(command: str) -> dict[str, list[str]]:
    """The options of a command line and their values, each as often as it was given."""
    try:
        words = shlex.split(command)
    except ValueError:  # written by hand, with an open quote
        words = command.split()
    found: dict[str, list[str]] = {}
    for word, following in pairwise([*words, ""]):  # no word at all is a command, too
        if word.startswith("--"):
            name, given, value = word.partition("=")
            found.setdefault(name, []).append(value if given else following)
    return found


@lru_cache(maxsize=4096)
def _quoted(word: str) -> str:
    """One word for a POSIX shell; with signs that can't be seen, as bash's $'…', so that nothing hides in it."""
    if word.isprintable():
        return shlex.quote(word)
    return "$'" + "".join(_visible(sign) for sign in word) + "'"


def _visible(sign: str) -> str:
    if sign in "\\'":
        return "\\" + sign
    if sign.isprintable():
        return sign
    return "".join(f"\\x{byte:02x}" for byte in sign.encode("utf-8", "surrogatepass"))
