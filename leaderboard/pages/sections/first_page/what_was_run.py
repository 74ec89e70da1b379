"""The first line of a board: what was run, in numbers."""

from __future__ import annotations

from leaderboard.judge.board import Board
from leaderboard.judge.rules import RULES
from leaderboard.judge.verdicts import Tally
from leaderboard.pages import wording
from leaderboard.pages.page_model import Inline

WHAT_IT_IS_ABOUT = (
    "A scheme hides a mark in a neural net, by which the owner can prove that a copy is his. An attack is a thief "
    "who has the net, or only its answers, and who gets rid of the mark or claims the net himself."
)


def what_was_run(board: Board) -> Inline:
    """Schemes, attacks, seeds and cells of each track; version, date and thresholds."""
    said = [_track(part) for part in board.parts]
    described, seeds = board.run.described, int(board.run.profile["seeds"])
    return (
        f"{'; '.join(said)}; {seeds} seed{'s, each drawn anew' if seeds > 1 else ''}. Run by watermark-bench "
        f"{described['version']} on {str(described['created'])[:10]}, judged by rules {RULES}: a mark is proved at p "
        f"≤ {wording.probability(board.alpha)}, and a model that loses no more than {wording.budgets(board.shown)} "
        "keeps its use."
    )


def _track(board: Board) -> str:
    families = len({str(row.described["name"]) for row in board.schemes})
    judged = Tally.of(cell.verdict for cell in board.owners() if cell.kind != "control").judged
    innocent = Tally.of(cell.verdict for cell in board.cells if cell.innocent).count("not-marked", "false-positive")
    attacks = sum(row.kind != "control" for row in board.attacks)
    settings = "" if len(board.schemes) == families else f" at {number(len(board.schemes), 'setting')}"
    return (
        f"{number(families, 'scheme')}{settings} against {number(attacks, 'attack setting')} on {board.track.task} "
        f"({board.track.architecture}): {number(judged, 'outcome')} of marks and claims, and "
        f"{number(innocent, 'verdict')} on innocent models"
    )


def number(count: int, what: str) -> str:
    """`1 seed`, `1,200 outcomes`."""
    return f"{count:,} {what}{'s' if count != 1 else ''}"
