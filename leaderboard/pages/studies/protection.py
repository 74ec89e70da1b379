"""What schemes would do for an owner, in words: sentences and table cells that advice and audits share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from leaderboard.analysis.protection import Accusations, AdvisedSituation, CheapestBreak, EmbeddingCost, Protection
from leaderboard.analysis.separation import least_seeds
from leaderboard.judge.board import Board
from leaderboard.judge.tracks import Track
from leaderboard.judge.verdicts import NO_COURT, Tally
from leaderboard.pages import wording
from leaderboard.pages.page_model import Inline, Section, lines, listed, spans, strong
from leaderboard.pages.sections.auto import count
from leaderboard.pages.sections.first_page.situations import SITUATIONS
from leaderboard.pages.short_names import names
from leaderboard.stats.tails import wilson


def widest(situations: Sequence[AdvisedSituation]) -> Sequence[Protection]:
    """The schemes of the situation that leaves out fewest: what holds of them in the others is the same."""
    return max(situations, key=lambda one: len(one.schemes)).schemes


def few(situations: Sequence[AdvisedSituation], track: Track, seeds: int) -> Iterator[str]:
    """What so few seeds and test images leave open."""
    schemes = widest(situations)
    least = least_seeds(len(schemes))
    if least is not None and least > seeds:
        yield (
            f"The test behind the order tells {len(schemes)} schemes apart from {least} seeds on: with {seeds} it may "
            "be chance."
        )
    yield from undecided(schemes, track)


def undecided(schemes: Sequence[Protection], track: Track) -> Iterator[str]:
    """How many cases are counted both ways, and on how many test images at which budget; nothing where none is."""
    cases = sum(one.survival.seeds for one in schemes)
    if left := sum(one.survival.high - one.survival.low for one in schemes):
        yield f"Undecided: {left} of {cases} cases, at {track.budget:g} {track.unit} on {track.test:,} test images."


def in_situation(situation: AdvisedSituation) -> Inline:
    """Which schemes are best in a situation, which were shown worse, and which can't be used."""
    n = len(situation.attacks)
    best = [one for one in situation.schemes if one.best]
    worse = [one.name for one in situation.schemes if not one.best]
    said = "Not shown worse than the best: " if best[0].survival.low else "None was seen to survive; not shown worse: "
    told: list[str] = [f"{said}{_named([f'{one.name} {count(one.survival)}' for one in best])}."]
    if worse:
        told.append(f"Shown worse: {_named(worse)}.")
    if situation.left:
        told.append(f"Can't be used: {_named(situation.left)}, whose court reads weights.")
    counted = f" ({n} attack{'s' * (n != 1)} count{'s' * (n == 1)}). "
    return (strong(SITUATIONS[situation.name]), counted, " ".join(told))


def _named(those: Sequence[str]) -> str:
    return "".join(map(str, spans(listed(those))))


def table(board: Board, unit: str, schemes: Sequence[Protection]) -> Section:
    """Schemes in order of survival, with what each costs, whom it accuses, and what breaks it."""
    attacks = names(board).attacks
    header = ["scheme", "survived", f"cost, {unit}", "forged", "accused", "broken by, at"]
    rows: list[list[Inline]] = [
        [
            strong(one.name) if one.best else one.name,
            lines(count(one.survival).split(" ", 1)),
            lines(cost(one.cost, unit)),
            lines(forged(one)),
            lines(accused(one.accusations)),
            lines(broken(one, attacks, unit)),
        ]
        for one in schemes
    ]
    return Section(header=header, rows=rows)


def change(found: EmbeddingCost, unit: str) -> Iterator[str]:
    """The change of utility by marking, and its range over marks (of one, its 90 % interval)."""
    yield "not measured" if found.loss is None else wording.change(found.loss, unit)
    if found.between is not None:
        high, low = (wording.change(end, unit) for end in found.between)
        yield f"{low} to {high}"


def cost(found: EmbeddingCost, unit: str) -> Iterator[str]:
    """The same, and the work of marking."""
    yield from change(found, unit)
    if found.relative is not None:
        yield f"{wording.of_a_host(found.relative)} work"


def forged(found: Protection) -> Iterator[str]:
    """Claims believed by a court that sees no dates, with a 95 % interval, and by one that asks for commitment."""
    if not found.forged.judged:
        yield "no court" if found.forged.count(NO_COURT) else "not tried"
        return
    yield wording.broken(found.forged)
    yield _interval(found.forged)
    yield f"{found.committed.broken} committed"


def _interval(tally: Tally) -> str:
    low = wilson(tally.broken, tally.judged)[0]
    high = wilson(tally.broken + tally.undecided, tally.judged)[1]
    return f"[{low:.2f}, {high:.2f}]"


def accused(found: Accusations) -> Iterator[str]:
    """Verdicts that accuse innocent models, and what rate stays possible over how many independent models."""
    if not found.verdicts:
        yield "none asked"
        return
    yield f"{found.fired}/{found.verdicts}"
    yield f"≤ {100 * found.bound:.0f} %"
    yield f"{found.models} model{'s' * (found.models != 1)}"


def broken(found: Protection, attacks: Mapping[str, str], unit: str) -> Iterator[str]:
    """The cheapest break and what it takes a thief; else the attack that broke most."""
    if found.broken_by is not None:
        yield from taken(found.broken_by, attacks, unit)
    elif found.worst is None:
        yield "nothing that was run"
    else:
        yield "none broke half"
        yield f"most: {attacks[found.worst.attack]} {wording.broken(found.worst.tally)}"


def taken(found: CheapestBreak, attacks: Mapping[str, str], unit: str) -> Iterator[str]:
    """The attack, how many marks it broke, its work, queries and labels, and the utility that it cost the thief."""
    yield f"{attacks[found.attack.attack]} {wording.broken(found.attack.tally)}"
    work = "work not counted" if found.attack.relative is None else f"{wording.of_a_host(found.attack.relative)} work"
    counts = [f"{value:,.0f} {what}" for value, what in ((found.queries, "queries"), (found.labelled, "labels"))
              if value]  # fmt: skip
    yield ", ".join([work, *counts])
    if found.loss is not None:
        yield f"{wording.change(found.loss, unit)} {unit}"


def cells(board: Board, schemes: Sequence[Protection]) -> Iterator[tuple[str, str]]:
    """The square of each scheme under the attack that `table` names, in words that `bench show` takes."""
    known = list(dict.fromkeys(cell.attack for cell in board.cells))
    for scheme in schemes:
        worst = scheme.broken_by.attack if scheme.broken_by else scheme.worst
        if worst is not None:
            yield worst.scheme, beginning(worst.attack, known)


def beginning(label: str, known: Sequence[str]) -> str:
    """The shortest beginning of a label, up to a sign, that no other has: what `find_cells` needs of it."""
    ends = [place for place, sign in enumerate(label) if sign in "(,)+"]
    starts = (label[:end] for end in ends)
    return next((start for start in starts if sum(one.startswith(start) for one in known) == 1), label)
