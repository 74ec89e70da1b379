"""The published boards: pages made again from the committed records, and the matrix that the README shows.

`python -m leaderboard.published` rewrites them all; a test finds no difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from leaderboard.board import Board, judge, read_run
from leaderboard.calibration import calibrate
from leaderboard.cells import Cell
from leaderboard.export import records, write_page, write_pages, write_reproduction
from leaderboard.rates import calibration_page
from leaderboard.reproduction import is_reproduction
from leaderboard.rows import AttackRow
from leaderboard.tables import escape, table

FOLDER = Path(__file__).parent / "published"
README = Path(__file__).parents[1] / "README.md"
NOTHING = "–"
HARM = (("removed", "forged"), ("undecided",), ("utility-lost",))  # what costs an owner most, the worst first
BEGIN, END = "<!-- matrix: made by python -m leaderboard.published -->", "<!-- end of matrix -->"


def compact(board: Board) -> str:
    """The README's matrix: the first setting of each scheme against each attack, at the setting that hurts most.

    One table for each track, under its task's name where there are several. Rows in the order of the boards.
    """
    if len(board.parts) == 1:
        return _table(board)
    return "\n\n".join(f"On {escape(part.track.task)}:\n\n{_table(part)}" for part in board.parts)


def _table(board: Board) -> str:
    first = {row.described["name"]: row for row in reversed(board.schemes)}
    schemes = [row for row in board.schemes if first[row.described["name"]] is row]
    attacks: dict[str, list[AttackRow]] = {}
    for kind in board.kinds:
        for attack in board.attacks:
            if attack.kind == kind:
                name = "+".join(stage["name"] for stage in attack.described["stages"])
                attacks.setdefault(name, []).append(attack)
    header = ["", *(escape(row.label) for row in schemes)]
    rows = [[escape(name), *(_worst(board, row.label, some) for row in schemes)] for name, some in attacks.items()]
    return table(header, [row for row in rows if set(row[1:]) != {NOTHING}])


def _worst(board: Board, scheme: str, attacks: Sequence[AttackRow]) -> str:
    """The square of the setting that cost the owner most, and which one it was where there are several."""
    squares = [board.at(scheme, attack.label) for attack in attacks]
    harm = [tuple(-sum(cell.verdict.word in words for cell in cells) for words in HARM) for cells in squares]
    index = harm.index(min(harm))
    said = _over_seeds(squares[index])
    if len(attacks) == 1 or said == NOTHING or all(one == harm[0] for one in harm):
        return said
    arguments = attacks[index].label.partition("(")[2].removesuffix(")")
    return f"{said}<br>{escape(arguments)}"


def _over_seeds(cells: Sequence[Cell]) -> str:
    """How often each word fell, the most frequent first: `removed 5/5`, `survived 3/5, undecided 2/5`."""
    counts = Counter(cell.verdict.word for cell in cells)
    if counts.keys() == {"not-applicable"}:
        return NOTHING
    said = [f"{one} {count}/{len(cells)}" for one, count in counts.most_common()]
    loud = counts.most_common(1)[0][0] in HARM[0]
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
    """Write the pages of a published run into `folder`: of a reproduction or a calibration, its own page alone."""
    board = published(name)
    if is_reproduction(board.run):
        return write_reproduction(board, folder)
    if "calibration" in board.run.described:
        page = calibration_page(board.run, calibrate(board.run))
        return [write_page(folder / "calibration.md", page), write_page(folder / "records.jsonl", records(board))]
    return write_pages(board, folder)


if __name__ == "__main__":
    for folder in sorted(path.parent for path in FOLDER.glob("*/run.json")):
        write_published(folder.name, folder)
    README.write_text(readme(published("quick"), README.read_text()))
