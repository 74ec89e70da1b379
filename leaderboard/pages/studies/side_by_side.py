"""A run's verdicts beside another's, square by square: `bench report --beside published:quick`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from leaderboard.analysis.side_by_side import Pair, SideBySide
from leaderboard.judge.cell import Cell
from leaderboard.pages import wording
from leaderboard.pages.export import write_page
from leaderboard.pages.page_model import Inline, Section, lines, strong
from leaderboard.pages.short_names import names
from leaderboard.pages.writers import markdown

BESIDE_PAGE = "beside.md"
_MANY = 40  # squares: of more, a terminal shows those that differ

_BY_DEFAULT = "By default: parameters that one of the versions does not name, taken at today's default."


def write_beside(found: SideBySide, folder: Path) -> Path:
    """Write the page with every square of both. Raises BenchError where it can't be written."""
    title = f"{_named(found)[0]} beside {_named(found)[1]}"
    return write_page(folder / BESIDE_PAGE, markdown.page(title, [about(found), *squares(found, found.pairs)]))


def short(found: SideBySide) -> list[Section]:
    """For a terminal: every square of few, of many those that differ."""
    shown = found.pairs if len(found.pairs) <= _MANY else [pair for pair in found.pairs if pair.differs]
    return [about(found), *squares(found, shown)]


def about(found: SideBySide) -> Section:
    """Which runs these are, made by which versions, how many squares both have, and what their settings differ in."""
    own, other = _named(found)
    runs = (found.own.run.described, found.other.run.described)
    versions = [f"{name} was made by version {run['version']} on {run['created'][:10]}" for name, run in
                zip((own, other), runs, strict=True)]  # fmt: skip
    differing = sum(pair.differs for pair in found.pairs)
    text = lines([
        f"{', '.join(versions)}. Both are read at alpha {wording.probability(found.own.alpha)} and a budget of "
        f"{wording.budgets(found.own.shown)}, by today's rules.",
        f"{len(found.pairs)} squares are in both, and in {differing} of them the marks fared otherwise; "
        f"{found.alone[0]} are in {own} alone, {found.alone[1]} in {other} alone.",
        *([_BY_DEFAULT] if any(pair.lacking for pair in found.pairs) else []),
    ])  # fmt: skip
    return Section("Both runs", text, ["setting", own, other] if found.settings else (), found.settings)


def squares(found: SideBySide, pairs: Sequence[Pair]) -> list[Section]:
    """What each run found under every attack, one part for each scheme; bold where the marks fared otherwise."""
    known, (own, other) = names(found.own), _named(found)
    parts = []
    for scheme in dict.fromkeys(pair.scheme for pair in pairs):
        rows: list[Sequence[Inline]] = []
        for pair in (one for one in pairs if one.scheme == scheme):
            mine, theirs = _said(pair.own), _said(pair.other)
            lacking = f"by default: {', '.join(pair.lacking)}" if pair.lacking else ""
            said: list[Inline] = [strong("verdict")] if pair.differs else []
            rows.append([known.attacks[pair.attack], mine, theirs, lines([*said, *filter(None, [lacking])])])
        parts.append(Section(known.schemes[scheme], header=["attack", own, other, "what differs"], rows=rows))
    return parts


def as_json(found: SideBySide) -> dict[str, Any]:
    """Both runs' verdicts for programs, labels as the first has them."""
    runs = [board.run.described for board in (found.own, found.other)]
    return {
        "runs": [{name: run[name] for name in ("run", "version", "created")} for run in runs],
        "settings": [dict(zip(("setting", "own", "other"), one, strict=True)) for one in found.settings],
        "alone": list(found.alone),
        "squares": [
            {"scheme": pair.scheme, "attack": pair.attack, "differs": pair.differs, "lacking": list(pair.lacking),
             "own": [wording.outcome(cell) for cell in pair.own],
             "other": [wording.outcome(cell) for cell in pair.other]}
            for pair in found.pairs
        ],
    }  # fmt: skip


def _named(found: SideBySide) -> tuple[str, str]:
    """What the columns are called: the runs' names, told apart where they are the same."""
    own, other = (str(board.run.described["run"]) for board in (found.own, found.other))
    return (own, other) if own != other else (f"{own} (own)", f"{other} (other)")


def _said(cells: Sequence[Cell]) -> Inline:
    """Verdicts, each with its number of seeds; the mean change of utility."""
    words = [wording.outcome(cell) for cell in cells]
    said = wording.counted(words, len(cells)) if len(cells) > 1 else words
    changes = [cell.utility.delta for cell in cells if cell.utility is not None and not cell.claim]
    return lines([*said, *([wording.changed(fmean(changes), cells[0].unit)] if changes else [])])
