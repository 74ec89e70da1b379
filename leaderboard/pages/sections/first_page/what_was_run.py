"""The first line of a board: what was run, in numbers."""

from __future__ import annotations

from leaderboard.judge.board import Board
from leaderboard.judge.rules import RULES
from leaderboard.judge.verdicts import Tally
from leaderboard.pages import wording
from leaderboard.pages.page_model import Inline


def what_was_run(board: Board) -> Inline:
    """Schemes, attacks, seeds and cells of each track; version, date and thresholds."""
    said = [_track(part) for part in board.parts]
    described, seeds = board.run.described, int(board.run.profile["seeds"])
    return (
        f"{'; '.join(said)}; {seeds} seed{'s' if seeds > 1 else ''}. Run by watermark-bench {described['version']} on "
        f"{str(described['created'])[:10]}, judged by rules {RULES} at alpha {wording.probability(board.alpha)}; a "
        f"model keeps its use within {wording.budgets(board.shown)}."
    )


def _track(board: Board) -> str:
    families = len({str(row.described["name"]) for row in board.schemes})
    judged = Tally.of(cell.verdict for cell in board.owners() if cell.kind != "control").judged
    innocent = Tally.of(cell.verdict for cell in board.cells if cell.innocent).count("not-marked", "false-positive")
    attacks = sum(row.kind != "control" for row in board.attacks)
    settings = "" if len(board.schemes) == families else f" at {_number(len(board.schemes), 'setting')}"
    return (
        f"{_number(families, 'scheme')}{settings} against {_number(attacks, 'attack setting')} on {board.track.task} "
        f"({board.track.architecture}): {_number(judged, 'outcome')} of marks and claims, and "
        f"{_number(innocent, 'verdict')} on innocent models"
    )


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' if count != 1 else ''}"
