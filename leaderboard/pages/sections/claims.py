"""Claims of thieves, with and without commitment."""

from __future__ import annotations

from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell
from leaderboard.pages.page_model import Section, filled
from leaderboard.pages.sections import over_seeds
from leaderboard.pages.sections.links import Links


def is_judged_claim(cell: Cell) -> bool:
    return cell.claim and not cell.innocent and cell.after is not None


def claims(board: Board) -> Section:
    """Every claim before two courts: one that asks for commitment and one that does not."""
    text = (
        "A thief presents a key of his own and claims the model: does a court believe him? Two courts judge. One "
        "sees no dates (verdict). The other accepts only keys that were committed, by publishing their hash, before "
        "the model was released; it rejects all of these claims, since no thief here commits a key so early. "
        "Evidence: how much of the claimed key the model answers as the key says; p is how often a key drawn without "
        "looking at the model would do as well. Who may choose his key after seeing the model can search for a good "
        "one, so where a key follows from a secret number, p is multiplied by 2^64, the secrets that a thief could "
        "try. A gate is a separate test that can only refuse, such as whether the net keeps its accuracy with the "
        "claimed passports installed. Of several seeds stand the least and the most; matrix.csv has them one by one."
    )
    links, parts = Links(board), []
    for attack in sorted(board.attacks, key=lambda row: board.kinds.index(row.kind)):
        squares = ((row.label, board.at(row.label, attack.label)) for row in board.schemes)
        rows = [
            [links.scheme(scheme), *over_seeds.claim_row(cells)]
            for scheme, cells in squares
            if any(map(is_judged_claim, cells))
        ]
        if rows:
            title = (f"{attack.kind.capitalize()}: ", links.attack(attack.label))
            parts.append(filled(Section(title, header=["scheme", *over_seeds.CLAIM], rows=rows)))
    return Section("Claims", text, parts=parts)
