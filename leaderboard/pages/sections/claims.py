"""Claims of thieves, with and without commitment."""

from __future__ import annotations

from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell
from leaderboard.pages.page_model import Section
from leaderboard.pages.sections import over_seeds
from leaderboard.pages.sections.links import Links


def is_judged_claim(cell: Cell) -> bool:
    return cell.claim and not cell.innocent and cell.after is not None


def claims(board: Board) -> Section:
    """Every claim before two courts: one that asks for commitment and one that does not."""
    text = (
        "What a court believes when a thief presents a key of his own. A gate is a separate test that can only refuse, "
        "such as accuracy with the claimed passports installed against accuracy as delivered. A p-value of a key made "
        "after seeing the model means nothing by itself: a court that asks for keys committed before the model was "
        "released rejects all of these claims, since no thief here commits one so early. Hash-bound keys that were "
        "not committed are charged a search over 2^64 keys. Of several seeds, the least and the most; matrix.csv has "
        "them one by one."
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
            parts.append(Section(title, header=["scheme", *over_seeds.CLAIM], rows=rows))
    return Section("Claims", text, parts=parts)
