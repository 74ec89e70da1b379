"""Families of schemes on the first page: in groups that a test tells apart, and against every kind of attack."""

from __future__ import annotations

from collections.abc import Sequence

from leaderboard.analysis.overview import (
    AttackGroup,
    FamilyRow,
    FamilySquare,
    Overview,
    WorstAttack,
    danger,
    overview,
    thieves,
)
from leaderboard.analysis.separation import Placed, placed
from leaderboard.judge.board import Board
from leaderboard.judge.verdicts import NO_COURT, Tally
from leaderboard.pages import wording
from leaderboard.pages.page_model import BREAK, Inline, Section, Span, lines, per_task, strong, terms
from leaderboard.pages.sections.auto import count
from leaderboard.pages.sections.links import Links


def families(board: Board) -> list[Section]:
    """The ranking, and the table of kinds of attack; of several tracks one after the other."""
    to = Links(board)

    @per_task
    def ranked(part: Board) -> Section:
        view = overview(part)
        return Section("Schemes", _about(view), _header(view, part.track.unit), _ranking(part, view, to), "rlrlrrrrrr")

    @per_task
    def by_kind(part: Board) -> Section:
        view = overview(part)
        rows: list[list[Inline]] = [
            [to.family(row.name), *(_square(row.at(one), one, to) for one in view.kinds)] for row in view.rows
        ]
        header = ["scheme", *(_kind(one) for one in view.kinds)]
        return Section("Schemes against kinds of attack", _ABOUT_KINDS, header, rows if view.kinds else [])

    return [ranked(board), by_kind(board)]


_ABOUT_KINDS: Inline = (
    "How many marks withstood the thief, of those judged over all settings, attacks and seeds: they held, or the model "
    "lost its use. Of claims: how many a court rejects which sees no dates. ",
    Span("5–6/7", "code"),
    " reads 5 of 7, or 6 if the undecided one counts too. Below it: the attack that broke most, and in how many cases; "
    f"{wording.STAR} behind it: mostly in models no better than what the thief trains from his own images alone.",
    BREAK,
    "Kinds: removal changes the weights; function-preserving changes them and no answer; evasion filters queries or "
    "answers; extraction trains a new net on the service's answers; ambiguity claims the marked model with a key of "
    "the thief's own, false-claim an innocent one. Attacks that were given the owner's key decide no order.",
)


def _about(view: Overview) -> Inline:
    if view.auto is None:
        what = "every attack of this run that could take a mark (the run lacks some of those in auto)"
    else:
        what = f"every attack in auto (version {view.auto})"
    survived = (
        f"**Survived**: cases (a setting of the scheme at one seed) whose mark withstood {what}, with a 95 % interval "
        "(Wilson). Of two numbers the first counts undecided cases as broken, the second as survived."
    )
    groups = (
        "**Group** 1 holds the best scheme and all that no test shows to be worse: an exact sign test over seeds, "
        "adjusted for all pairs (Holm, 5 %). Where as many cases survive, the scheme is better whose marks withstand "
        "dearer thieves. **Seeds to tell apart**: how many would show that it is worse than the best, if further seeds "
        "came out as these did; a dash: no number would."
    )
    others = (
        "**Worst attack**: the one that broke most, of equals the cheapest, in how many cases, and its work: 77 % or "
        "1.3× of training one net. **Forged**: thieves' claims that a court believes which sees no dates, and with "
        "commitment, where it accepts only keys fixed before the release; no court: no key could have convinced one. "
        "**False alarms**: verdicts that accuse innocent models. **Embedding**: what the owner pays, as change of "
        "utility and as work over training one net."
    )
    return lines(map(terms, [survived, *([groups] if len(view.rows) > 1 else []), others]))


def _header(view: Overview, unit: str) -> list[str]:
    survived = "survived" if view.auto is None else "survived auto"
    return ["group", "scheme", survived, "worst attack", "its cost", "forged", "false alarms",
            f"embedding, {unit}", "… of a training", "seeds to tell apart"]  # fmt: skip


def _ranking(board: Board, view: Overview, to: Links) -> list[list[Inline]]:
    groups = {one.name: one for one in placed(board, thieves(board), [row.name for row in view.rows])}
    last = len(groups) + 1
    ordered = sorted(view.rows, key=lambda row: groups[row.name].group if row.name in groups else last)
    return [_row(row, view, groups.get(row.name), to) for row in ordered]


def _row(row: FamilyRow, view: Overview, place: Placed | None, to: Links) -> list[Inline]:
    worst = max(
        (found for one in view.kinds if not (one.claim or one.oracle) and (found := row.at(one).worst)),
        key=danger,
        default=None,
    )
    claims = [row.at(one) for one in view.kinds if one.claim and not one.oracle]
    tried = any(row.at(one).judged for one in view.kinds if not (one.claim or one.oracle))
    alarms = row.alarms.count("false-positive"), row.alarms.count("not-marked", "false-positive")
    n = len(row.labels)
    return [
        str(place.group) if place else "–",
        (to.family(row.name), f", {n} settings" if n > 1 else ""),
        strong(count(row.survival.survival)) if row.survival else "–",
        _worst(worst, to) if worst else "none" if tried else "–",
        wording.of_a_host(worst.relative) if worst else "–",
        _forged(claims),
        f"{alarms[0]}/{alarms[1]}" if alarms[1] else "–",
        "–" if row.paid is None else wording.change(row.paid, view.track.unit),
        wording.of_a_host(row.embedding),
        _needed(place),
    ]


def _forged(squares: Sequence[FamilySquare]) -> str:
    judged = sum(one.judged for one in squares)
    if not judged:
        empty = sum(one.tally.count(NO_COURT) for one in squares)
        return f"no court in {empty}" if empty else "–"
    believed, committed = sum(one.broken for one in squares), sum(one.committed.broken for one in squares)
    return f"{believed}/{judged}, {committed} with commitment"


def _needed(place: Placed | None) -> str:
    if place is None:
        return "–"
    if place.group > 1:
        return f"shown, p={place.p:.2g}"
    return "best" if place.best else "–" if place.needed is None else str(place.needed)


def _kind(one: AttackGroup) -> str:
    return f"{one.kind} (given the key)" if one.oracle else one.kind


def _square(found: FamilySquare, group: AttackGroup, to: Links) -> Inline:
    if not found.judged:
        return "no court" if found.tally.count(NO_COURT) else "–"
    first = _withstood(found.tally)
    if (worst := found.worst) is None:
        return first
    star = wording.STAR if 2 * worst.no_better > worst.tally.broken else ""
    return lines([first, _worst(worst, to, star)])


def _worst(found: WorstAttack, to: Links, star: str = "") -> tuple[Span, str]:
    """The attack that broke most, as a link to its cells, and how many it broke."""
    return to.cells(found.scheme, found.attack), f" {wording.broken(found.tally)}{star}"


def _withstood(tally: Tally) -> Inline:
    said = wording.rejected(tally)
    return strong(said) if tally.broken else said
