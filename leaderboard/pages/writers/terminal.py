"""Boards on a terminal of 80 columns: what was found, and the matrix. Labels are untrusted, never read as markup."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from leaderboard.analysis.overview import Overview, overviews
from leaderboard.judge.board import Board
from leaderboard.judge.verdicts import Tally
from leaderboard.pages import wording
from leaderboard.pages.page_model import Inline, Section, lines, one_line, piece, spans, strong
from leaderboard.pages.sections.matrix import scratch
from leaderboard.pages.sections.results import headlines
from leaderboard.pages.short_names import names

_STYLES = {"strong": "bold", "code": "cyan"}
_ATTACK, _SQUARE = 26, 16  # columns of an attack's name, and of a square of the matrix with the gap before it

_HOW_TO_READ = (
    "2–3/9 reads: 2 of 9, or 3 if the undecided one counts too. A broken mark was removed, or can't be proved any "
    "longer, in a model as useful as before."
)
_COMMITTED = "with commitment"  # the court asks for keys committed before the release


def show(board: Board, folder: Path, console: Console) -> None:
    """Print the headlines, families of schemes against kinds of attack, and where the pages lie."""
    for size, numbers in headlines(board):
        console.print(Text.assemble((f"{one_line(size)}. ", "bold"), one_line(numbers)))
    write([*families(board), Section(text=_HOW_TO_READ)], console)
    run = one_line(board.run.described["run"])
    console.print(Text("Every square: bench show --matrix; one of them: bench show SCHEME ATTACK"))
    console.print(Text(f"Pages of {run}: {one_line(folder / 'leaderboard.html')}, and leaderboard.md beside it"),
                  soft_wrap=True)  # fmt: skip


def families(board: Board) -> list[Section]:
    """Of each track, marks broken of those judged, then claims forged and innocent models accused."""
    found = overviews(board)
    return [section for one in found for section in _of_track(one, f" on {one.track.task}" if len(found) > 1 else "")]


def _of_track(found: Overview, on: str) -> Iterator[Section]:
    marks, claims = ([kind for kind in found.kinds if kind.claim is claim] for claim in (False, True))
    if marks:
        rows = [[row.name, *(wording.broken(row.at(one).tally) for one in marks)] for row in found.rows]
        yield _table(f"Marks broken, of those judged{on}", [one.kind for one in marks], rows)
    header = [name for one in claims for name in (one.kind, *[_COMMITTED] * (one.kind == "ambiguity"))]
    rows = []
    for row in found.rows:
        cells = [row.name]
        for one in claims:
            square = row.at(one)
            cells += [wording.broken(square.tally), *[wording.broken(square.committed)] * (one.kind == "ambiguity")]
        rows.append([*cells, _accused(row.alarms)])
    title = "Claims forged, and innocent models accused" if claims else "Innocent models accused"
    yield _table(f"{title}, of those judged{on}", [*header, "innocent models"], rows)


def _accused(alarms: Tally) -> str:
    seen = alarms.count("not-marked", "false-positive")
    return f"{alarms.count('false-positive')}/{seen}" if seen else "–"


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[Inline]]) -> Section:
    folded = [lines(one.replace("-", "- ").split()) for one in header]
    return Section(title, header=["scheme", *folded], rows=rows, align="l" + "r" * len(header))


def show_matrix(board: Board, console: Console) -> None:
    """Print the verdict of every square, as many schemes side by side as there is room for."""
    write(_matrices(board, max(1, (console.width - _ATTACK) // _SQUARE)), console)


def _matrices(board: Board, columns: int) -> Iterator[Section]:
    known = names(board)
    for part in board.parts:
        on = f"On {part.track.task}" if len(board.parts) > 1 else ""
        if said := scratch(part):
            yield Section(text=f"{on}. {said}".removeprefix(". "))
        labels = [row.label for row in part.schemes]
        for start in range(0, len(labels), columns):
            shown = labels[start : start + columns]
            rows: list[list[Inline]] = []
            for kind in part.kinds:
                rows.append([strong(kind), *[""] * len(shown)])
                for attack in part.attacks:
                    if attack.kind == kind:
                        squares = (_square(part, scheme, attack.label) for scheme in shown)
                        rows.append([f" {known.attacks[attack.label]}", *squares])
            yield Section(on, header=["attack", *(known.schemes[label] for label in shown)], rows=rows)


def _square(board: Board, scheme: str, attack: str) -> Inline:
    """What became of the mark, seed by seed counted; what harms the owner in bold."""
    cells = board.at(scheme, attack)
    broken = {wording.outcome(cell) for cell in cells if Tally.of([cell.verdict]).broken}
    found = Counter(wording.outcome(cell) for cell in cells).most_common()
    said = [(f"{word} {count}/{len(cells)}" if len(cells) > 1 else word, word in broken) for word, count in found]
    return lines(strong(text) if harmful else text for text, harmful in said)


def write(sections: Iterable[Section], console: Console) -> None:
    """Print sections one after the other; long cells are folded, so that no line is wider than the console."""
    for section in sections:
        if section.title:
            console.print(Text.assemble("\n", (_text(section.title).plain, "bold")))
        if section.text:
            console.print(_text(section.text))
        if section.header:
            table = Table(header_style="bold", box=None, pad_edge=False)
            for column, name in enumerate(section.header):
                table.add_column(_text(name), overflow="fold", justify="right" if section.right(column) else "left")
            for row in section.rows:
                table.add_row(*(_text(cell) for cell in row))
            console.print(table)
        write(section.parts, console)


def _text(text: Inline) -> Text:
    found = Text()
    for one in spans(text):
        if isinstance(one, str):
            found.append(piece(one))
        else:
            found.append("\n" if one.mark == "break" else one_line(one.text), _STYLES.get(one.mark))
    return found
