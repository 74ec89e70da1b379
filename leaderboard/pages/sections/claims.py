"""Claims of thieves, with and without commitment, and the channels beside the evidence."""

from __future__ import annotations

from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell
from leaderboard.pages import wording
from leaderboard.pages.page_model import Inline, Section, lines, per_task


def is_judged_claim(cell: Cell) -> bool:
    return cell.claim and not cell.innocent and cell.after is not None


def claims(board: Board) -> Section:
    """Every claim before two courts: one that asks for commitment and one that does not."""
    text = (
        "What a court believes when a thief presents a key of his own. A gate is a separate test that can only refuse, "
        "such as accuracy with the claimed passports installed against accuracy as delivered. A p-value of a key made "
        "after seeing the model means nothing by itself: a court that asks for keys committed before the model was "
        "released rejects all of these claims, since no thief here commits one so early. Hash-bound keys that were "
        "not committed are charged a search over 2^64 keys."
    )
    header = ["scheme", "verdict", "with commitment", "evidence for the claim", "gates", "why rejected"]
    parts = []
    for attack in sorted(board.attacks, key=lambda row: board.kinds.index(row.kind)):
        squares = (board.at(scheme.label, attack.label) for scheme in board.schemes)
        rows = [_row(board, cell) for square in squares for cell in square if is_judged_claim(cell)]
        if rows:
            parts.append(Section(f"{attack.kind.capitalize()}: {attack.label}", header=header, rows=rows))
    return Section("Claims", text, parts=parts)


def _row(board: Board, cell: Cell) -> list[Inline]:
    committed = cell.committed.reason if cell.committed else None
    return [
        cell.scheme + wording.seed(board, cell.replicate),
        wording.verdict(cell),
        cell.committed.word if cell.committed else "–",
        wording.evidence(cell.after) if cell.after else "–",
        lines(f"{name}: {wording.gate(gate)}" for name, gate in cell.gates.items()),
        cell.verdict.reason or (f"with commitment: {committed}" if committed else "–"),
    ]


@per_task
def channels(board: Board) -> Section:
    """Channels beside the evidence: printed, never a second chance."""
    columns = dict.fromkeys((c.scheme, name) for c in board.owners() for name in c.channels)
    rows: list[list[Inline]] = []
    for attack in board.attacks:
        row = [
            lines(
                f"{wording.channel(cell.channels[name][0])} → {wording.channel(cell.channels[name][1])}"
                for cell in board.at(scheme, attack.label)
                if name in cell.channels
            )
            for scheme, name in columns
        ]
        if set(row) - {"–"}:
            rows.append([attack.label, *row])
    text = "Channels beside the evidence, as delivered → in the suspect. They are printed and never counted."
    if not rows:
        return Section("Other channels", "No scheme on this task has one.")
    header = ["attack", *(f"{scheme}: {name}" for scheme, name in columns)]
    return Section("Other channels", text, header, rows, "l" + "r" * len(columns))
