"""`leaderboard/README.md`: every published run on one line, with one thing that it found."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile

from leaderboard.analysis.error_rates import calibrate
from leaderboard.analysis.reproduction import is_reproduction, outcomes
from leaderboard.judge.board import Board
from leaderboard.pages.page_model import BREAK, Inline, Section, Span, lines, links_moved, moved, spans
from leaderboard.pages.sections.first_page.findings import findings
from leaderboard.pages.sections.first_page.what_was_run import number
from leaderboard.pages.studies.calibration_page import headline as error_rates
from leaderboard.pages.studies.reproduction_page import headline as reproduced
from leaderboard.pages.writers import markdown

INDEX = "README.md"
_ABOUT = (
    "Each of these runs is kept with all its records, and its pages are made from them: "
    "`python -m leaderboard.pages.publish` writes them, and this page, anew. A board opens with what it found; pages "
    "beside it hold the matrix, one for each kind of attack, and all that is known of each scheme and each attack."
)
_HEADER = ("run", "task (net)", "schemes", "attacks", "seeds", "code", "made on", "one thing that it found")


def index_page(boards: Mapping[str, Board]) -> str:
    """The page, given the published boards by name."""
    kinds: dict[str, list[list[Inline]]] = {"Boards": [], "Reproductions of works": [], "Error rates": []}
    for name, board in boards.items():
        kinds[_kind(board)].append(_row(name, board))
    text = tuple(Span(piece, "code") if number % 2 else piece for number, piece in enumerate(_ABOUT.split("`")))
    parts = [Section(title, header=_HEADER, rows=rows, align="llrrrlll") for title, rows in kinds.items() if rows]
    return markdown.page("Published boards", [Section(text=text), *parts])


def by_task(boards: Mapping[str, Board], folder: str) -> Section:
    """The boards alone, those of a task in one row; folder: where they lie, seen from the page."""
    groups: dict[str, list[Inline]] = {}
    for name, board in boards.items():
        if _kind(board) == "Boards":
            task = " and ".join(track.task for track in board.shown)
            groups.setdefault(task, []).append(_in_short(name, board))
    rows: list[list[Inline]] = [[task, lines(those)] for task, those in groups.items()]
    return moved(Section(header=["task", "boards"], rows=rows), folder.removesuffix("published/"))


def _in_short(name: str, board: Board) -> Inline:
    """`quick` (convnet, unet): 9 schemes × 25 attacks × 5 seeds."""
    nets = ", ".join(dict.fromkeys(track.architecture for track in board.shown))
    schemes, attacks = len({row.described["name"] for row in board.schemes}), _attacks(board)
    seeds = int(board.run.profile["seeds"])
    counts = f"{number(schemes, 'scheme')} × {number(attacks, 'attack')} × {number(seeds, 'seed')}"
    made = f"version {board.run.described['version']}, {str(board.run.described['created'])[:10]}"
    return (Span(name, "link", f"published/{name}/leaderboard.md"), f" ({nets}): {counts}, {made}")


def _attacks(board: Board) -> int:
    """How many were run, at all settings; no attack and training anew are none."""
    return sum(row.kind != "control" for row in board.attacks)


def _kind(board: Board) -> str:
    if "calibration" in board.run.described:
        return "Error rates"
    return "Reproductions of works" if is_reproduction(board.run) else "Boards"


def _row(name: str, board: Board) -> list[Inline]:
    page = {"Error rates": "calibration.md", "Boards": "leaderboard.md"}.get(_kind(board), "reproduction.md")
    described = board.run.described
    families = dict.fromkeys(str(row.described["name"]) for row in board.schemes)
    settings = len(board.schemes)
    schemes = f"{len(families)}" + (f" ({settings} settings)" if settings > len(families) else "")
    return [
        Span(name, "link", f"published/{name}/{page}"),
        lines(f"{track.task} ({track.architecture})" for track in board.shown),
        schemes,
        str(_attacks(board) or "–"),
        str(described["profile"]["seeds"]),
        str(described["version"]),
        str(described["created"])[:10],
        _finding(name, board),
    ]


def _finding(name: str, board: Board) -> Inline:
    if _kind(board) == "Error rates":
        return error_rates(calibrate(board.run))
    if _kind(board) == "Reproductions of works":
        return reproduced(outcomes(board))
    found = findings(board)
    if not found.rows:
        return found.text
    first = (piece for piece in takewhile(lambda one: one != BREAK, spans(found.rows[0][-1])))
    return links_moved(tuple(first), f"published/{name}/")
