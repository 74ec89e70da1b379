"""The findings of a board in words: what each rule found, with links to the cells behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from leaderboard.analysis.findings import RuleFinding
from leaderboard.analysis.findings import findings as found_by_rules
from leaderboard.analysis.meetings import ensemble
from leaderboard.analysis.separation import least_seeds
from leaderboard.judge.board import Board
from leaderboard.judge.verdicts import NO_COURT, Tally
from leaderboard.pages import wording
from leaderboard.pages.page_model import Inline, Section, Span, joined, lines, listed, spans, strong, terms
from leaderboard.pages.sections.auto import count
from leaderboard.pages.sections.links import Links

_MOST_CELLS = 2  # that a finding links to, the most harmful first


def findings(board: Board) -> Section:
    """One row for each rule that applies; several tracks in one row."""
    to = Links(board)
    rows: list[list[Inline]] = []
    for number, those in enumerate(found_by_rules(board), 1):
        title, say = QUESTIONS[those[0].rule]
        said = []
        for one in those:
            part = next(part for part in board.parts if part.track.task == one.task)
            on = f"On {one.task} " if len(board.parts) > 1 else ""
            said.append(_capital(joined([on, *say(part, one, to), *_cells(one, to)])))
        rows.append([str(number), strong(title), lines(said)])
    if not rows:
        return Section("Findings", "Nothing was judged yet.")
    return Section("Findings", _about(board), ["", "question", "what the records say"], rows, "r")


def _about(board: Board) -> Inline:
    auto = " **Auto** is a fixed set of attacks, all tried on every mark: one that breaks it is enough."
    return (
        "Made from the records by the same rules for every board (",
        Span("docs/statistics.md", "code"),
        *terms(
            "). A mark is **broken** where the owner can no longer prove it, in a model of as much use as before. A "
            "**case** is one setting of a scheme at one seed; **0–1/15 [0.00, 0.30]** reads: of 15 cases none, or one "
            "if an undecided case counts, and a 95 % interval of the rate. A **training** is the work of training one "
            f"net.{auto if ensemble(board) else ''}"
        ),
    )


def _cells(one: RuleFinding, to: Links) -> list[Inline]:
    if not one.cells:
        return []
    shown: list[Inline] = [
        to.cells(scheme, attack, f"{to.names.schemes[scheme]} × {to.names.attacks[attack]}")
        for scheme, attack in one.cells[:_MOST_CELLS]
    ]
    return [" See ", listed(shown), "."]


def _capital(text: Inline) -> Inline:
    """The same with a large first letter, where it begins with plain words."""
    first, *rest = spans(text)
    return (first[:1].upper() + first[1:], *rest) if isinstance(first, str) else text


def _survivors(board: Board, one: RuleFinding, to: Links) -> list[Inline]:
    thieves = "auto" if ensemble(board) else "every attack that was run"
    best, over = one.survival, one.over
    if best is None or over is None:
        return []
    if not over.high:
        first: list[Inline] = [f"none of {over.seeds} marks survived {thieves}"]
    else:
        first = [f"{_range(over.low, over.high)} of {over.seeds} marks survived {thieves}"]
    several = len(_all(board)) > 1
    one_best = len(one.families) == 1
    said: list[Inline] = []
    if several and best.high:
        said = ["the most of ", to.families(one.families), f", {count(best)}"]
    elif several:
        said = [to.families(one.families), f" {'costs' if one_best else 'cost'} the thief most"]
    if one.attack:
        work = f", for {wording.trainings(one.relative)}" if one.relative is not None else ""
        said += [
            ", and " if said else "",
            "most often the cheapest attack that broke it was ",
            to.attack_page(one.attack),
            work,
        ]
    return [*first, *(["; ", *said] if said else []), ".", *_apart(board, one, to)]


def _apart(board: Board, one: RuleFinding, to: Links) -> list[Inline]:
    """How sure the order of the schemes is."""
    if one.worse:
        return [" Shown worse than the best: ", _schemes(board, one.worse, to), "."]
    least, seeds = least_seeds(len(_all(board))), int(board.run.profile["seeds"])
    if least is None:
        return []
    why = f": that takes {least} seeds or more" if least > seeds else ""
    return [f" No scheme is shown to be worse than the best by {seeds} seed{'s' * (seeds > 1)}{why}."]


def _all(board: Board) -> list[str]:
    """The families of schemes on a board of one task."""
    return list(dict.fromkeys(str(row.described["name"]) for row in board.schemes))


def _schemes(board: Board, named: Sequence[str], to: Links) -> Inline:
    """Families with their links, or how many where it is every one of them."""
    if len(named) > 2 and {*named} == {*_all(board)}:
        return f"all {len(named)} schemes"
    return to.families(named)


def _worst_kind(board: Board, one: RuleFinding, to: Links) -> list[Inline]:
    work = f", for {wording.trainings(one.relative)}" if one.relative is not None else ""
    star = ""
    if one.no_better:
        star = (
            f" In {one.no_better} of these, training anew on his own images would have given the thief as good a net."
        )
    named: list[Inline] = [", most of all by ", to.attack_page(one.attack), work] if one.attack else []
    broke = f"{one.kind} broke {one.tally.broken} of {one.tally.judged} marks{_open(one)}, of "
    return [broke, _schemes(board, one.families, to), *named, f".{star}"]


def _cheapest(board: Board, one: RuleFinding, to: Links) -> list[Inline]:
    work = wording.trainings(one.relative)
    unit = board.track.unit
    loss = (
        "" if one.loss is None else f"; its {wording.LEVELS[unit]} changed by {wording.change(one.loss, unit)} {unit}"
    )
    return [
        to.attack_page(one.attack), " broke ", to.families(one.families),
        f" in {one.tally.broken} of {one.tally.judged} cases for {work}{loss}.",
    ]  # fmt: skip


def _unbroken(board: Board, one: RuleFinding, to: Links) -> list[Inline]:
    useless = f", {one.tally.useless} of them in a model that lost its use" if one.tally.useless else ""
    tries = f"{one.tally.withstood} of {one.tally.judged} tries"
    return [to.families(one.families), f" withstood {one.kind} in {tries}{useless}."]


def _forgeries(board: Board, one: RuleFinding, to: Links) -> list[Inline]:
    against: list[Inline] = [", against ", _schemes(board, one.families, to)] if one.families else []
    empty = (
        f" {one.tally.count(NO_COURT)} more came before a court that no key could convince."
        if one.tally.count(NO_COURT)
        else ""
    )
    if not one.tally.judged:
        return [f"no claim could be judged.{empty}"]
    return [
        f"a court that sees no dates believed {one.tally.broken} of {one.tally.judged} thieves' claims", *against,
        f"{_open(one)}; one that accepts only keys fixed before the release believed {one.committed.broken}.{empty}",
    ]  # fmt: skip


def _false_alarms(board: Board, one: RuleFinding, to: Links) -> list[Inline]:
    accused, of = one.tally.count("false-positive"), one.tally.count("not-marked", "false-positive")
    verdicts = {row.label: Tally.of(cell.verdict for cell in board.innocents(row.label)) for row in board.schemes}
    accusing = [to.scheme(label) for label, tally in verdicts.items() if tally.count("false-positive")]
    by: list[Inline] = [" (by ", listed(accusing), ")"] if accusing else []
    models = f"{one.models} independent model{'s' * (one.models != 1)}"
    possible = f" With {models} for each scheme, a true rate of up to {100 * one.bound:.0f} % is not ruled out."
    return [f"{accused} of {of} verdicts on innocent models accuse them", *by, "." + (possible if one.models else "")]


def _price(board: Board, one: RuleFinding, to: Links) -> list[Inline]:
    work = "" if one.relative is None else f" and {wording.trainings(one.relative)}"
    loss = wording.change(one.loss or 0.0, board.track.unit)
    return [to.families(one.families), f" costs the owner most: {loss} {board.track.unit} of utility{work}."]


def _never_there(board: Board, one: RuleFinding, to: Links) -> list[Inline]:
    return [
        "marks of ", to.families(one.families),
        f" could not be proved before any attack; {one.tally.count('embed-failed')} cells are left out for it.",
    ]  # fmt: skip


def _undecided(board: Board, one: RuleFinding, to: Links) -> list[Inline]:
    return [f"{one.tally.undecided} of {one.tally.judged} outcomes are neither shown nor ruled out."]


def _open(one: RuleFinding) -> str:
    return f" ({one.tally.undecided} undecided)" if one.tally.undecided else ""


def _range(low: int, high: int) -> str:
    return str(low) if low == high else f"{low} to {high}"


RuleWords = Callable[[Board, RuleFinding, Links], Sequence[Inline]]
QUESTIONS: dict[str, tuple[str, RuleWords]] = {
    "survivors": ("What survives?", _survivors),
    "worst kind": ("Which thief does most harm?", _worst_kind),
    "cheapest break": ("What is the cheapest break?", _cheapest),
    "unbroken": ("What holds?", _unbroken),
    "forgeries": ("Can a thief claim the model?", _forgeries),
    "false alarms": ("Are innocents accused?", _false_alarms),
    "price": ("What does a mark cost?", _price),
    "never there": ("Which marks never took?", _never_there),
    "undecided": ("What is open?", _undecided),
}
