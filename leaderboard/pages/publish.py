"""The published boards: pages made again from the committed records, and the matrix that the README shows.

`python -m leaderboard.pages.publish` rewrites them all; a test finds no difference. With the folder of a run and a
name, `python -m leaderboard.pages.publish results/quick quick`, that run is published first.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmark.store.records import RecordStore
from benchmark.vocabulary import ORACLE_KINDS
from leaderboard.analysis.error_rates import calibrate
from leaderboard.analysis.reproduction import is_reproduction
from leaderboard.judge.board import Board, judge, read_run
from leaderboard.judge.cell import Cell
from leaderboard.judge.summaries import AttackRow
from leaderboard.pages import wording
from leaderboard.pages.calibration_page import calibration_page
from leaderboard.pages.export import page_makers, records, write_page, write_reproduction
from leaderboard.pages.md_table import escape, table

FOLDER = Path(__file__).parents[1] / "published"
README = Path(__file__).parents[2] / "README.md"
PAGES = ("leaderboard.md", "leaderboard.html", "leaderboard.tex", "works.bib", "matrix.csv")
NOTHING = "–"
HARM = (("removed", "forged"), ("undecided",), ("utility-lost",))  # what costs an owner most, the worst first
BEGIN, END = "<!-- matrix: made by python -m leaderboard.pages.publish -->", "<!-- end of matrix -->"


def compact(board: Board) -> str:
    """The README's matrix: the first setting of each scheme against each attack, at the setting that hurts most.

    One table for each track, under its task's name where there are several. Rows in the order of the boards.
    """
    if len(board.parts) == 1:
        return _table(board.parts[0])
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
    header = ["", *(escape(row.described["name"]) for row in schemes)]
    rows = [
        [_named(name, some), *(_worst(board, row.label, some) for row in schemes)] for name, some in attacks.items()
    ]
    return table(header, [row for row in rows if set(row[1:]) != {NOTHING}])


def _named(name: str, attacks: Sequence[AttackRow]) -> str:
    return escape(name) + (" (told the key)" if attacks[0].kind in ORACLE_KINDS else "")


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
    words = [cell.verdict.word for cell in cells]
    if set(words) == {"not-applicable"}:
        return NOTHING
    first, *others = wording.counted(words, len(cells))
    return ", ".join([f"**{first}**" if first.startswith(HARM[0]) else first, *others])


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
    """Write the pages of a published run into `folder`: of a reproduction or a calibration, its own page alone.

    Of the boards' pages, those that hold the records once more in another form are left out.
    """
    board = published(name)
    if is_reproduction(board.run):
        return write_reproduction(board, folder)
    if "calibration" in board.run.described:
        return [write_page(folder / "calibration.md", calibration_page(board.run, calibrate(board.run)))]
    made = {page: make() for page, make in page_makers(board).items() if page in PAGES}
    return [write_page(folder / page, text) for page, text in made.items()]


def publish(results: Path, name: str) -> None:
    """Take a finished run out of the folder `results` into the repository as `name`: its description and its records.

    Both are compressed without a date, so that equal runs give equal files.
    """
    run = read_run(results, RecordStore(results.parent / "store"))
    for file, text in (("run.json", json.dumps(run.described, indent=1)), ("records.jsonl", records(run))):
        write_page(FOLDER / name / f"{file}.gz", gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        publish(Path(sys.argv[1]), sys.argv[2])
    for folder in sorted(path.parent for path in FOLDER.glob("*/run.json.gz")):
        write_published(folder.name, folder)
    README.write_text(readme(published("quick"), README.read_text()))
