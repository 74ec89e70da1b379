"""Two admissible keys on one model: the owner's, and that of a thief who claims it. Who wins, and why?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell
from leaderboard.judge.decide import Thresholds
from leaderboard.judge.results import observations
from leaderboard.judge.run import Run
from leaderboard.judge.verdicts import Acceptance, acceptance

Winner = Literal["owner", "thief", "nobody", "undecided"]


@dataclass(frozen=True)
class Ruling:
    """Who wins before one court, and why."""

    winner: Winner
    why: str


@dataclass(frozen=True)
class Dispute:
    """Both claims on one marked model, by evidence and gates alone, and what two courts say.

    open: the court takes any admissible key. committed: it asks for commitment before the model was released.
    """

    cell: Cell
    owner: Acceptance
    thief: Acceptance
    open: Ruling
    committed: Ruling


def disputes(board: Board) -> list[Dispute]:
    """Every claim of a thief whose key is admissible, against the owner's own on the same model.

    Thieves who were told the owner's key have boards of their own, and are left out.
    """
    claims = (cell for cell in board.owners(*board.ranked_kinds) if cell.claim)
    return [found for cell in claims for found in _dispute(board, cell)]


def _dispute(board: Board, cell: Cell) -> Iterator[Dispute]:
    run, court = board.run, Thresholds.of(board.part_of(cell).track)
    theirs, ours = run.result(cell.jobs.get("judged")), run.result(cell.jobs.get("fresh"))
    if theirs is None or ours is None or cell.before is None or cell.after is None:
        return
    if not (_admissible(theirs["admission"]) and _admissible(ours["admission"])):
        return
    owner = acceptance(cell.before, court.gates(observations(run, cell.jobs["fresh"])[0]))
    thief = acceptance(cell.after, cell.gates)
    committed = ours["admission"]["committed"], theirs["admission"]["committed"]
    ordered = ruling(owner, thief, committed, earlier(run, cell))
    yield Dispute(cell, owner, thief, ruling(owner, thief), ordered)


def earlier(run: Run, cell: Cell) -> Literal["owner", "thief"] | None:
    """Whose key was committed first, by the order of the ledger that the claim was judged with; None: not in it."""
    ledger = run.records[cell.jobs["judged"]]["job"].get("ledger", [])
    places = [ledger.index(cell.jobs[role]) if cell.jobs[role] in ledger else None for role in ("marked", "attacked")]
    if places[0] is None or places[1] is None or places[0] == places[1]:
        return None
    return "owner" if places[0] < places[1] else "thief"


def ruling(
    owner: Acceptance,
    thief: Acceptance,
    committed: tuple[bool, bool] | None = None,
    first: Literal["owner", "thief"] | None = None,
) -> Ruling:
    """Who wins: the only one whose claim the court accepts.

    committed: whether (owner, thief) committed their keys before the model was released; None: the court does not
    ask. Two accepted claims are undecided: evidence says that a mark is there and not whose it is, and a larger p
    is no better title (Craver et al. 1998, the rightful ownership problem). Only order in time decides, and a court
    that asks for commitment has it: who committed before the release comes before who did not, and of two who did, the
    earlier one (`first`, where the ledger tells).
    """
    says = {"owner": owner, "thief": thief}
    late: list[str] = []
    if committed is not None:
        late = [name for name, early in zip(says, committed, strict=True) if not early]
        says = {name: said for name, said in says.items() if name not in late}
    accepted = [name for name, said in says.items() if said.word == "accepted"]
    unclear = [name for name, said in says.items() if said.word == "unclear"]
    why_late = "".join(f"; the {name}'s key was not committed before the release" for name in late)
    if accepted == ["owner", "thief"]:
        if committed is not None and first is not None:
            return Ruling(first, f"both claims are accepted, both keys were committed, and the {first}'s came first")
        order = "" if committed is None else ", both keys were committed, and the records don't say which first"
        return Ruling("undecided", f"both claims are accepted{order or ', and this court knows no order'}")
    if unclear:
        return Ruling("undecided", f"the {' and '.join(unclear)}'s claim is unclear{_reason(says[unclear[0]])}")
    if not accepted:
        return Ruling("nobody", f"no claim is accepted{why_late}")
    (winner,) = accepted
    if late:
        return Ruling("owner" if winner == "owner" else "thief", why_late.removeprefix("; "))
    (loser,) = says.keys() - {winner}
    return Ruling("owner" if winner == "owner" else "thief", f"the {loser}'s claim is refused{_reason(says[loser])}")


def _reason(said: Acceptance) -> str:
    return f": {said.reason}" if said.reason else ""


def _admissible(admission: Mapping[str, Any]) -> bool:
    return bool(admission["well_formed"] and admission["bound"])
