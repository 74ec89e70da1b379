"""The published boards: pages made again from the committed records, and the matrix that the README shows.

`python -m leaderboard.published` rewrites them all; a test finds no difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from leaderboard import wording
from leaderboard.board import Board, judge, read_run
from leaderboard.cells import Cell
from leaderboard.export import write_pages, write_reproduction
from leaderboard.reproduction import is_reproduction
from leaderboard.tables import escape, table
from leaderboard.verdicts import NO_BETTER_THAN_SCRATCH, SEARCHED

FOLDER = Path(__file__).parent / "published"
README = Path(__file__).parents[1] / "README.md"
# signs and words that keep the README's matrix narrow; it explains them below
FLAGS = {NO_BETTER_THAN_SCRATCH: "†", "claim-refused": "‡", "claim-unclear": "‡"}
REFUSALS = {SEARCHED: ", search", "gate lost": ", gate"}
BEGIN, END = "<!-- matrix: made by python -m leaderboard.published -->", "<!-- end of matrix -->"


def compact(board: Board) -> str:
    """The matrix in words and hits: attacks as rows, in the order of the boards, and schemes as columns.

    One table for each track, under its task's name where there are several.
    """
    if len(board.parts) == 1:
        return _table(board)
    return "\n\n".join(f"On {escape(part.track.task)}:\n\n{_table(part)}" for part in board.parts)


def _table(board: Board) -> str:
    header = ["", *(escape(scheme.label) for scheme in board.schemes)]
    rows = [
        [escape(attack.label), *(_short(board, scheme.label, attack.label) for scheme in board.schemes)]
        for kind in board.kinds
        for attack in board.attacks
        if attack.kind == kind
    ]
    return table(header, rows)


def _short(board: Board, scheme: str, attack: str) -> str:
    cells = board.at(scheme, attack)
    if len(cells) > 1:
        return _over_seeds(cells)
    (cell,) = cells
    word = "–" if cell.verdict.word == "not-applicable" else wording.verdict(cell)
    if cell.after is None:
        return word
    loud = f"**{word}**" if word in ("removed", "forged") else word
    signs = "".join(sign for flag, sign in FLAGS.items() if flag in cell.verdict.flags)
    if wording.is_unreadable(cell.after):
        return f"{loud}{signs} unreadable"
    why = next((short for reason, short in REFUSALS.items() if reason in (cell.verdict.reason or "")), "")
    return f"{loud}{signs} {wording.total(cell.after.total, cell.after.n, cell.after.kind == 'count')}{why}"


def _over_seeds(cells: Sequence[Cell]) -> str:
    """How often each word fell, the most frequent first: `removed 5/5`, `survived 3/5, undecided 2/5`."""
    counts = Counter(cell.verdict.word for cell in cells)
    if counts.keys() == {"not-applicable"}:
        return "–"
    said = [f"{word} {count}/{len(cells)}" for word, count in counts.most_common()]
    loud = counts.most_common(1)[0][0] in ("removed", "forged")
    return ", ".join([f"**{said[0]}**" if loud else said[0], *said[1:]])


def readme(board: Board, text: str) -> str:
    """`text`, a README, with the matrix of `board` between its two marks. Raises ValueError where one is missing."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError("the README has lost the marks around its matrix")
    return f"{head}{BEGIN}\n\n{compact(board)}\n\n{END}{tail}"


def published(name: str) -> Board:
    """The board of a published run, from its own records."""
    return judge(read_run(FOLDER / name))


def write_published(name: str, folder: Path) -> list[Path]:
    """Write the pages of a published run into `folder`: of a reproduction, its own page alone."""
    board = published(name)
    return write_reproduction(board, folder) if is_reproduction(board.run) else write_pages(board, folder)


if __name__ == "__main__":
    for folder in sorted(path.parent for path in FOLDER.glob("*/run.json")):
        write_published(folder.name, folder)
    README.write_text(readme(published("quick"), README.read_text()))
