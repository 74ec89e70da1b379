"""What a board shows, in findings that follow from its records by rules fixed beforehand.

Each rule is a function of one track with a condition; it says which numbers it gives and on which cells it rests. A
board shows the first six rules of `FINDING_RULES` that apply on any of its tracks. docs/statistics.md lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from math import inf
from statistics import median

from leaderboard.analysis.meetings import Survival, meetings
from leaderboard.analysis.overview import (
    AttackGroup,
    FamilyRow,
    Overview,
    cheapest,
    cheapness,
    harm,
    overview,
    square,
    thieves,
)
from leaderboard.analysis.separation import placed
from leaderboard.judge.board import Board
from leaderboard.judge.summaries import work_share
from leaderboard.judge.verdicts import NO_BETTER_THAN_SCRATCH, NO_COURT, Tally
from leaderboard.stats.tails import clopper_pearson_upper

MOST_FINDINGS = 6  # findings on a first page
NOTHING = Tally({})


@dataclass(frozen=True)
class RuleFinding:
    """What one rule says of one track. Each rule says which fields it fills.

    families: of schemes, by name, the one that matters most first. attack: a label. tally: the cells that are counted;
    committed: the same before a court that asks for commitment. survival: of one of the families; over: of all
    together. worse: families that the test over seeds shows to be worse than the best. no_better: of the broken ones,
    those in a model that training anew would equal. relative: work over training one host. loss: net loss of
    utility, in [0, 1] or in dB. cells: (scheme, attack) by label, of the squares that it rests on.
    """

    rule: str
    task: str
    families: Sequence[str] = ()
    kind: str = ""
    attack: str = ""
    tally: Tally = NOTHING
    committed: Tally = NOTHING
    survival: Survival | None = None
    over: Survival | None = None
    worse: Sequence[str] = ()
    no_better: int = 0
    relative: float | None = None
    loss: float | None = None
    models: int = 0
    bound: float = 1.0
    cells: Sequence[tuple[str, str]] = field(default=())


FindingRule = Callable[[Board, Overview], RuleFinding | None]


def findings(board: Board) -> list[list[RuleFinding]]:
    """The findings of a board, rule by rule, each on the tracks where it applies; six rules at most."""
    return board.once("findings", lambda: _findings(board))


def _findings(board: Board) -> list[list[RuleFinding]]:
    seen = [(part, overview(part)) for part in board.parts]
    found = ([one for part, view in seen if (one := rule(part, view)) is not None] for rule in FINDING_RULES)
    return [those for those in found if those][:MOST_FINDINGS]


def survivors(board: Board, view: Overview) -> RuleFinding | None:
    """Which families of schemes survive best, where any case (setting and seed) has an outcome.

    families: the best, and those of the same order; survival: of the first, over: of all families; worse: not in the
    best one's group. attack and relative:
    what stands for the thieves most often where marks of the best fell, and its median work. cells: of it.
    """
    rows = [row for row in view.rows if row.survival and row.survival.survival.seeds]
    if not rows or not (best := rows[0].survival):
        return None
    alike = [row for row in rows if row.survival and row.survival.order == best.order]
    over = Survival.of(one.outcome() for one in meetings(board, thieves(board)))
    groups = placed(board, thieves(board), [row.name for row in view.rows])
    broke = best.members[0][0] if best.members else ""
    return RuleFinding(
        "survivors", board.track.task, [row.name for row in alike], survival=best.survival, over=over,
        worse=[one.name for one in groups if one.group > 1], attack=broke, relative=best.relative if broke else None,
        cells=[(rows[0].labels[0], broke)] if broke else [],
    )  # fmt: skip


def worst_kind(board: Board, view: Overview) -> RuleFinding | None:
    """The kind of attack that breaks the largest share of marks, where one broke any; claims and insiders aside.

    families: of which it broke a mark; tally: its cells; attack: the one of it that broke most, with its median work.
    """
    kinds = [one for one in view.kinds if not (one.claim or one.oracle)]
    tallies = {one.kind: _over(view.rows, one) for one in kinds}
    worst = max(kinds, key=lambda one: harm(tallies[one.kind]), default=None)
    if worst is None or not tallies[worst.kind].broken:
        return None
    hit = [row for row in view.rows if row.at(worst).broken]
    hit.sort(key=lambda row: harm(row.at(worst).tally), reverse=True)
    named = square(board, [row.label for row in board.schemes], worst.attacks).worst
    cells = [(one.scheme, one.attack) for row in hit if (one := row.at(worst).worst)]
    return RuleFinding(
        "worst kind", board.track.task, [row.name for row in hit], worst.kind, named.attack if named else "",
        tallies[worst.kind], no_better=_no_better(board, worst.attacks), relative=named.relative if named else None,
        cells=cells,
    )  # fmt: skip


def cheapest_break(board: Board, view: Overview) -> RuleFinding | None:
    """The cheapest attack that breaks more than half of a family's marks, where one does; by counted work.

    tally: the family's marks under it; relative: its median work; loss: its median loss of utility there.
    """
    kinds = [one for one in view.kinds if not (one.claim or one.oracle)]
    tried = ((row, one, cheapest(board, row.labels, one.attacks)) for row in view.rows for one in kinds)
    broke = [(row, group, worst) for row, group, worst in tried if worst is not None]
    if not broke:
        return None
    row, group, worst = min(broke, key=lambda one: cheapness(one[2]))
    losses = [cell.utility.delta for label in row.labels for cell in board.at(label, worst.attack) if cell.utility]
    return RuleFinding(
        "cheapest break", board.track.task, [row.name], group.kind, worst.attack, worst.tally,
        no_better=worst.no_better, relative=worst.relative, loss=median(losses) if losses else None,
        cells=[(worst.scheme, worst.attack)],
    )  # fmt: skip


def unbroken(board: Board, view: Overview) -> RuleFinding | None:
    """The family and kind of attack with the most marks that held in a model of use, where none was broken or left
    undecided.

    Claims and insiders aside, and what never touches that which the family's court sees (`_touches`). tally: all marks
    judged there. cells: of the attack there that cost the thief most work.
    """
    firm = [
        (row, one) for row in view.rows for one in view.kinds
        if not (one.claim or one.oracle) and row.at(one).held and not any(harm(row.at(one).tally))
        and all(_touches(one.kind, each.described["court"]) for each in row.schemes)
    ]  # fmt: skip
    if not firm:
        return None
    row, group = max(firm, key=lambda one: (one[0].at(one[1]).held, one[0].at(one[1]).judged))
    judged = [
        (cell.scheme, cell.attack, work_share(cell.cost, board.host_operations) or 0.0)
        for label in row.labels for attack in group.attacks for cell in board.at(label, attack)
        if Tally.of([cell.verdict]).judged
    ]  # fmt: skip
    scheme, attack, _ = max(judged, key=lambda one: one[2])
    tally = row.at(group).tally
    return RuleFinding("unbroken", board.track.task, [row.name], group.kind, tally=tally, cells=[(scheme, attack)])


def _touches(kind: str, court: str) -> bool:
    """Whether an attack of this kind can change what a court sees: weights, or answers.

    Evasion filters queries and answers, and a function-preserving attack changes weights and no answer.
    """
    return not (kind == "evasion" if court == "weights" else kind == "function-preserving")


def forgeries(board: Board, view: Overview) -> RuleFinding | None:
    """How many false claims a court believes that sees no dates, and one that asks for commitment; insiders aside.

    Applies where a claim was judged, or no key could have won. families: whose courts believed one.
    """
    kinds = [one for one in view.kinds if one.claim and not one.oracle]
    tallies, committed = ([getattr(row.at(one), name) for row in view.rows for one in kinds]
                          for name in ("tally", "committed"))  # fmt: skip
    tally = _sum(tallies)
    if not (tally.judged or tally.count(NO_COURT)):
        return None
    fell = [row for row in view.rows if any(row.at(one).broken for one in kinds)]
    fell.sort(key=lambda row: sum(row.at(one).broken for one in kinds), reverse=True)
    worst = [worst for row in fell for one in kinds if row.at(one).broken and (worst := row.at(one).worst)]
    return RuleFinding(
        "forgeries", board.track.task, [row.name for row in fell], kinds[0].kind, tally=tally,
        committed=_sum(committed), cells=[(one.scheme, one.attack) for one in worst],
    )  # fmt: skip


def false_alarms(board: Board, view: Overview) -> RuleFinding | None:
    """How many verdicts on innocent models accuse them, where any was judged.

    families: those that accused one. models: independent innocents of the family with fewest; bound: the rate that
    remains possible for the family of which least is known, at one-sided 95 %.
    """
    tally = _sum(row.alarms for row in view.rows)
    if not tally.count("not-marked", "false-positive"):
        return None
    alarms = [one.false_alarms for row in view.rows for one in row.schemes if one.false_alarms.models]
    least = max(alarms, key=lambda one: clopper_pearson_upper(one.fired, one.models), default=None)
    accused = [row.name for row in view.rows if row.alarms.count("false-positive")]
    return RuleFinding(
        "false alarms", board.track.task, accused, tally=tally, models=least.models if least else 0,
        bound=least.bound if least else 1.0,
    )  # fmt: skip


def price(board: Board, view: Overview) -> RuleFinding | None:
    """The family whose marks cost the owner most utility, where two or more families were measured.

    loss: its median net loss by embedding; relative: the median work of embedding.
    """
    paid = [row for row in view.rows if row.paid is not None]
    if len(paid) < 2:
        return None
    dearest = max(paid, key=lambda row: -inf if row.paid is None else row.paid)
    return RuleFinding("price", board.track.task, [dearest.name], loss=dearest.paid, relative=dearest.embedding)


def never_there(board: Board, view: Overview) -> RuleFinding | None:
    """Families whose marks could not be proved before any attack, where there are any.

    tally: of the cells of marked models that are left out for it, and all others.
    """
    tallies = {row.name: Tally.of(c.verdict for c in board.owners() if c.scheme in row.labels) for row in view.rows}
    missing = sorted((name for name in tallies if tallies[name].count("embed-failed")),
                     key=lambda name: -tallies[name].count("embed-failed"))  # fmt: skip
    if not missing:
        return None
    return RuleFinding("never there", board.track.task, missing, tally=_sum(tallies[name] for name in missing))


def undecided(board: Board, view: Overview) -> RuleFinding | None:
    """How much is neither shown nor ruled out, where anything is."""
    tally = _sum(row.at(one).tally for row in view.rows for one in view.kinds if not one.oracle)
    return RuleFinding("undecided", board.track.task, tally=tally) if tally.undecided else None


FINDING_RULES: Sequence[FindingRule] = (
    survivors, worst_kind, cheapest_break, unbroken, forgeries, false_alarms, price, never_there, undecided,
)  # fmt: skip


def _over(rows: Iterable[FamilyRow], group: AttackGroup) -> Tally:
    return _sum(row.at(group).tally for row in rows)


def _sum(tallies: Iterable[Tally]) -> Tally:
    listed = list(tallies)
    words = dict.fromkeys(chain.from_iterable(one.words for one in listed))
    return Tally({word: sum(one.count(word) for one in listed) for word in words},
                 sum(one.survived_useless for one in listed))  # fmt: skip


def _no_better(board: Board, attacks: Sequence[str]) -> int:
    cells = (cell for row in board.schemes for label in attacks for cell in board.at(row.label, label))
    return sum(NO_BETTER_THAN_SCRATCH in cell.verdict.flags for cell in cells)
