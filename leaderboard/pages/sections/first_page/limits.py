"""What a board can't say, counted where it can be counted."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from leaderboard.analysis.separation import least_seeds
from leaderboard.judge.board import Board
from leaderboard.judge.cell import matrix_thief
from leaderboard.judge.verdicts import BROKEN, NO_BETTER_THAN_SCRATCH, Tally
from leaderboard.pages import wording
from leaderboard.pages.page_model import Inline, Section, lines
from leaderboard.pages.sections.threat_model import images
from leaderboard.stats.seeds import what_seeds_allow


def limits(board: Board) -> Section:
    """A paragraph each: seeds, the thief's own images, what is open, and what the tests are of."""
    return Section("Limits", lines(_limits(board)))


def _limits(board: Board) -> Iterator[Inline]:
    seeds = int(board.run.profile["seeds"])
    yield what_seeds_allow(seeds)
    for part in board.parts:
        families = len({str(row.described["name"]) for row in part.schemes})
        least = least_seeds(families)
        if least is not None and least > seeds:
            yield (
                f"With {families} schemes on {part.track.task}, the test behind the groups needs {least} seeds to "
                "tell two apart: here it could tell none."
            )
        on, track = (f"On {part.track.task}: t" if len(board.parts) > 1 else "T"), part.track
        has = f"{on}he thief has {images(matrix_thief(board.run.profile, track.task))}"
        attacked = [cell for cell in part.owners() if cell.kind != "control"]
        broken = [cell for cell in attacked if cell.verdict.word in BROKEN and not cell.claim]
        starred = sum(NO_BETTER_THAN_SCRATCH in cell.verdict.flags for cell in broken)
        if part.scratch:
            has += f", from which training anew (scratch) reaches {wording.score(median(part.scratch), track.unit)}"
        if broken:
            has += f"; {starred} of {len(broken)} broken marks are in models no better than that"
        yield f"{has}. Nets: {track.architecture}; nothing here is shown of larger ones."
        tally = Tally.of(cell.verdict for cell in attacked)
        out = tally.left_out - tally.count("not-applicable")
        if tally.judged and (tally.undecided or out):
            yield (
                f"{wording.percent(tally.undecided / tally.judged)} of the "
                f"outcomes{f' on {track.task}' if len(board.parts) > 1 else ''} are undecided, and {out} cells have "
                "none: no mark before, no key that could convince, or a failed job."
            )
    yield (
        "Each verdict is a test of its own at the alpha above, and none is corrected for how many there are. The worst "
        "attack is picked on the seeds that are shown, so its share is an upper estimate for that attack."
    )
