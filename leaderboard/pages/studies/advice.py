"""Advice from published records in words, for a terminal, and as JSON: `bench advise`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from leaderboard.analysis.advice import Advice, AdvisedSituation, PublishedAdvice
from leaderboard.analysis.protection import Accusations, CheapestBreak, EmbeddingCost, Protection
from leaderboard.analysis.separation import least_seeds
from leaderboard.judge.board import Board
from leaderboard.judge.published import PREFIX
from leaderboard.judge.tracks import Track
from leaderboard.judge.verdicts import NO_COURT, Tally
from leaderboard.pages import wording
from leaderboard.pages.page_model import Inline, Section, lines, spans, strong
from leaderboard.pages.sections.auto import count
from leaderboard.pages.sections.first_page.references import listed
from leaderboard.pages.sections.first_page.situations import SITUATIONS
from leaderboard.pages.sections.threat_model import images
from leaderboard.pages.short_names import names
from leaderboard.stats.tails import wilson

_STANDING = {
    "equal": "The record is of such a thief.",
    "weaker": "The record is of a weaker thief: what he broke, yours breaks, too, who may leave labels out; from what "
    "survived him nothing follows.",
    "stronger": "The record is of a stronger thief: what survived him survives yours, too; from what he broke nothing "
    "follows.",
}
HOW_TO_READ = (
    "Survived: cases (a setting at one seed) whose mark withstood every attack that counts here, with a 95 % interval; "
    "two numbers: undecided ones counted as broken, and as survived. Cost: change of utility by marking, median and "
    "range over marks, and its work over training one net. Forged: thieves' claims that a court believed which sees "
    "no dates, with a 95 % interval, and one that asks for a commitment before the release. Accused: verdicts against "
    "innocent models, and the rate that so many independent models leave possible (95 %). Broken by: the cheapest "
    "attack that broke more than half of the marks, with how many; its work, queries and labels, and the change of "
    "utility, medians over these. Where no attack broke half: the one that broke most."
)


def advice_page(found: Advice) -> list[Section]:
    """One section for each record, then what no record speaks of, how to read it, and the commands of its cells."""
    sections = [section for one in found.records for section in _record(one, found)]
    for task in found.silent:
        sections.append(Section(f"On {task}", _silence(task, found)))
    return [*sections, *([Section("How to read it", HOW_TO_READ)] if found.records else [])]


def _silence(task: str, found: Advice) -> str:
    what = "gives out the weights" if found.release == "weights" else "gives out answers alone"
    if task not in found.known:
        return f"No published record speaks of {task}: there are records of {', '.join(found.known)}."
    return f"No published record of {task} has an outcome for an owner who {what}."


def _record(one: PublishedAdvice, found: Advice) -> Iterator[Section]:
    described, seeds = one.board.run.described, int(one.board.run.profile["seeds"])
    said = [
        f"{PREFIX}{one.name}: {seeds} seed{'s' * (seeds != 1)}, watermark-bench {described['version']}, read at "
        f"{wording.read_at(one.track)}.",
        f"Its thief has {images(one.thief)}; yours has {found.labelled:,} with labels. {_STANDING[one.standing]}",
    ]
    if found.budget is not None and one.track.unit != "points":
        said.append(f"A budget in points says nothing of {one.track.task}: it is read at the board's own.")
    said += few(one.situations, one.track, seeds)
    yield Section(f"On {one.track.task} ({one.track.architecture})", lines(said))
    for situation in one.situations:
        yield Section(text=(strong(f"{SITUATIONS[situation.name]}"), f" ({_attacks(situation)}). ",
                            headline(situation)))  # fmt: skip
    yield table(one.board, one.track.unit, widest(one.situations))


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
    cases = sum(one.survival.seeds for one in schemes)
    undecided = sum(one.survival.high - one.survival.low for one in schemes)
    if undecided:
        yield (
            f"Undecided: {undecided} of {cases} cases, for {track.test:,} test images are few for a budget of "
            f"{track.budget:g} {track.unit}."
        )


def _attacks(situation: AdvisedSituation) -> str:
    n = len(situation.attacks)
    return f"{n} attack{'s' * (n != 1)} count{'s' * (n == 1)}"


def headline(situation: AdvisedSituation) -> str:
    """Which schemes are best in a situation, which were shown worse, and which can't be used."""
    best = [one for one in situation.schemes if one.best]
    worse = [one.name for one in situation.schemes if not one.best]
    said = "Not shown worse than the best: " if best[0].survival.low else "None was seen to survive; not shown worse: "
    told: list[str] = [f"{said}{_named([f'{one.name} {count(one.survival)}' for one in best])}."]
    if worse:
        told.append(f"Shown worse: {_named(worse)}.")
    if situation.left:
        told.append(f"Can't be used: {_named(situation.left)}, whose court reads weights.")
    return " ".join(told)


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


def cost(found: EmbeddingCost, unit: str) -> Iterator[str]:
    """What marking costs: change of utility, its range over marks (of one, its 90 % interval), and work."""
    if found.loss is None:
        yield "not measured"
    else:
        yield wording.change(found.loss, unit)
    if found.between is not None:
        high, low = (wording.change(end, unit) for end in found.between)
        yield f"{low} to {high}"
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


def commands(found: Advice) -> list[str]:
    """What opens the cells behind each scheme of each record, those of its cheapest or worst attack: `bench show`."""
    read = [] if found.budget is None else ["--budget", f"{found.budget:g}"]
    return [
        shlex.join(["bench", "show", *words, "--run", f"{PREFIX}{one.name}", *read])
        for one in found.records
        for words in cells(one.board, widest(one.situations))
    ]


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


def as_json(found: Advice) -> dict[str, Any]:
    """The answer as JSON: of a record its board's name in place of the board."""
    return {
        "release": found.release,
        "labelled": found.labelled,
        "budget": found.budget,
        "records": [
            {
                "board": f"{PREFIX}{one.name}",
                "version": one.board.run.described["version"],
                "seeds": one.board.run.profile["seeds"],
                **{name: getattr(one, name) for name in ("track", "thief", "labelled", "standing", "situations")},
            }
            for one in found.records
        ],
        "silent": found.silent,
        "known": found.known,
    }
