"""How the pages write numbers and verdicts: short, with the sign that counts, the same everywhere."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from leaderboard.judge.board import Board
from leaderboard.judge.cell import Agreement, Cell
from leaderboard.judge.evidence import Evidence
from leaderboard.judge.summaries import AttackRow
from leaderboard.judge.tracks import Track
from leaderboard.judge.verdicts import INNOCENTS_AS_HIGH, KEY_IN_POOL, NO_BETTER_THAN_SCRATCH, USELESS, Tally
from leaderboard.stats.scores import ChannelTotal
from leaderboard.stats.tails import wilson
from leaderboard.stats.utility_test import LEAST_GAIN, SCALE, Utility

STAR = "*"  # behind removed, where training anew gives as useful a model
DIGITS = {"points": 1, "dB": 2}
LEVELS = {"points": "accuracy", "dB": "mean PSNR"}


def p_value(log10_p: float) -> str:
    """A p-value: `p=0.27` down to 0.01, then its power of ten, `10^-3.2`, `10^-59`."""
    if log10_p == -math.inf:
        return "p=0"
    if log10_p > -2:
        return f"p={10**log10_p:.2g}"
    return f"10^{log10_p:.1f}" if log10_p > -9.95 else f"10^{log10_p:.0f}"


def graded(log10_p: float, grade: str | None) -> str:
    """A p-value with the word that says how this number is known: `10^-59 exact`."""
    return f"{p_value(log10_p)} {grade}" if grade else p_value(log10_p)


def evidence(found: Evidence) -> str:
    """What is left of the mark, such as `96/100 10^-59 exact`; which way and in which view, where there are several."""
    if is_unreadable(found):
        return "unreadable: no evidence"
    said = f"{total(found.total, found.n, found.kind == 'count')} {graded(found.log10_p, found.grade)}"
    return said + (" inverted" if found.inverted else "") + (f" in {found.view}" if found.view else "")


def is_unreadable(found: Evidence) -> bool:
    """Whether the court could not read the suspect; only then does absent evidence have a reason."""
    return found.state == "absent" and found.reason is not None


def total(value: float, n: int, count: bool = True) -> str:
    """Hits out of n, or the mean of n real scores."""
    return f"{value:.0f}/{n}" if count else f"{value:.3g} (n {n})"


def theta(found: Evidence, none: str = "–") -> str:
    """The least total at which the mark counts as present; `none` where no total is enough."""
    return none if found.theta is None else total(found.theta, found.n, found.kind == "count")


def channel(found: ChannelTotal | None) -> str:
    """The total of one channel; a dash where it was not seen."""
    return "–" if found is None else total(found.total, found.n, isinstance(found.total, int))


def change(delta: float, unit: str = "points") -> str:
    """The change of utility behind a net loss, a bare number in `unit` with its sign: a loss of 0.013 is `-1.3`."""
    digits = DIGITS[unit]
    value = round(-SCALE[unit] * delta, digits)
    return f"{value:+.{digits}f}" if value else f"{0:.{digits}f}"


def change_interval(found: Utility) -> str:
    """The change of utility and its 90 % interval, bare numbers in the unit of `found`."""
    low, high = (change(end, found.unit) for end in found.interval)
    return f"{change(found.delta, found.unit)} [{high}, {low}]"


def changed(delta: float, unit: str) -> str:
    """The change of utility where there is little room: points are bare, `-1.3`, other units named, `-0.21 dB`."""
    return change(delta, unit) if unit == "points" else f"{change(delta, unit)} {unit}"


def gate(found: Utility) -> str:
    """What a gate of a claim found: the change with its interval, and kept, lost or unclear."""
    return f"{change_interval(found)} {found.unit}, {found.state}"


def utility_state(found: Utility) -> str:
    """kept, lost or unclear; and why, where a model is of no use at all."""
    return f"{found.state}: it {useless(found.gain)}" if found.useless else found.state


def useless(gain: float | None) -> str:
    """Why a model does not do its task; gain: of an image-to-image model over doing nothing, in dB."""
    if gain is None:
        return "does not beat the most frequent class"
    return f"gains {gain:.2f} dB over doing nothing, below {LEAST_GAIN:g} dB"


def test_items(found: Utility) -> str:
    """What became of the test items, and the statistic that weighs it."""
    if found.unit == "points":
        return f"{found.losses} lost and {found.gains} gained of {found.n}, z {found.z:.2f}"
    gained = "" if found.gain is None else f", {found.gain:+.2f} dB over doing nothing"
    return f"{found.losses} of {found.n} images came out worse and {found.gains} better, t {found.z:.2f}{gained}"


def read_at(track: Track) -> str:
    """What verdicts of a track were read at."""
    return f"alpha {probability(track.alpha)}, budget {track.budget:g} {track.unit}"


def budgets(tracks: Sequence[Track]) -> str:
    """The budget of every track: `5 points`, or `5 points on digits and 0.5 dB on photos`."""
    if len(tracks) == 1:
        return f"{tracks[0].budget:g} {tracks[0].unit}"
    return " and ".join(f"{track.budget:g} {track.unit} on {track.task}" for track in tracks)


ABOUT_ORACLES = (
    "These attacks were given the owner's key: an upper bound on what any thief could do. No order, rank, score or "
    "cost to break rests on them."
)
ABOUT_SURROGATES = (
    "Surrogates: nets that learnt from clean nulls what a thief's learn from marked models; the larger p of the two "
    "pools counts."
)


def nulls(clean: int, surrogates: int) -> str:
    """How many nulls there are, of each pool: `16`, or `8 clean, 8 surrogates`."""
    return f"{clean} clean, {surrogates} surrogates" if surrogates else str(clean)


def units(tracks: Sequence[Track]) -> str:
    """The units in which changes of utility are told: `points`, or `points or dB`."""
    return " or ".join(dict.fromkeys(track.unit for track in tracks))


def pool(seen: Mapping[str, float | None]) -> str:
    """A pool of nulls, with how many more do not do their task and so do not count."""
    others = f" (and {seen['useless']:g} more that don't do their task)" if seen.get("useless") else ""
    return f"{seen['J']} models{others}, mean {seen['mean']:.3g}, largest {seen['max']:.3g}"


def score(value: float | None, unit: str) -> str:
    """How good a model is: accuracy as per cent, or its mean PSNR; a dash for None."""
    if value is None or unit == "points":
        return percent(value)
    return f"{value:.2f} {unit}"


def level(value: float | None, unit: str, ssim: float | None) -> str:
    """`score` with the mean SSIM where it was measured, such as `26.31 dB, SSIM 0.912`."""
    return score(value, unit) + ("" if ssim is None else f", SSIM {ssim:.3f}")


def agreement(found: Agreement) -> str:
    """How alike two models answer, such as `100.0 % of labels agree, outputs within 1e-05`."""
    gap = f"outputs within {found.largest_gap:.0e}"
    return gap if found.labels is None else f"{percent(found.labels)} of labels agree, {gap}"


def percent(share: float | None) -> str:
    """A share in [0, 1] as per cent; a dash for None."""
    return "–" if share is None else f"{100 * share:.1f} %"


def seconds(value: float) -> str:
    """Seconds with as many digits as matter."""
    return f"{value:.0f} s" if value >= 10 else f"{value:.1f} s" if value >= 1 else f"{value:.2g} s"


def of_a_host(value: float | None) -> str:
    """A share of training one host, such as `9.7 %` or `2.1×`; a dash for None."""
    if value is None:
        return "–"
    return f"{value:.1f}×" if value >= 1 else f"{100 * value:.2g} %"


def trainings(value: float | None) -> str:
    """Work in a sentence: `9.7 % of a training`, `2.1 trainings`; `work that was not counted` for None."""
    if value is None:
        return "work that was not counted"
    return f"{value:.1f} trainings" if value >= 1 else f"{of_a_host(value)} of a training"


def price(row: AttackRow) -> list[str]:
    """Device time of an attack, its counted work over that of training one host, and its tier."""
    if row.cost is None:
        return ["–", "–", "–"]
    return [seconds(row.cost.seconds), of_a_host(row.relative), "–" if row.tier is None else str(row.tier)]


def probability(value: float) -> str:
    """A level such as alpha: `0.05`, `0.001`, `1e-6`."""
    return f"{value:g}".replace("e-0", "e-")


def three(tally: Tally) -> str:
    """What became of marks: `5 held, 1 useless, 2 broken of 9`, the rest undecided; a dash for none."""
    if not tally.judged:
        return "–"
    return f"{tally.held} held, {tally.useless} useless, {tally.broken} broken of {tally.judged}"


def rejected(tally: Tally) -> str:
    """Claims rejected of judged, both ways of counting undecided: `5/7`, or `5–6/7` with one undecided."""
    return _both_ways(tally.withstood, tally)


def broken(tally: Tally) -> str:
    """Broken of judged, both ways of counting undecided."""
    return _both_ways(tally.broken, tally)


def _both_ways(count: int, tally: Tally) -> str:
    if not tally.judged:
        return "–"
    most = f"–{count + tally.undecided}" if tally.undecided else ""
    return f"{count}{most}/{tally.judged}"


def about_seeds(board: Board) -> str:
    """What a square of several seeds shows; nothing where the run has one."""
    if board.run.profile["seeds"] == 1:
        return ""
    return (
        "Where there are several seeds, a square counts their verdicts, the most frequent first, and gives the seeds "
        "withstood (held, or useless to the thief) with a 95 % interval (Wilson), the smallest and the largest "
        "p-value, and the mean change."
    )


def seed(board: Board, replicate: int) -> str:
    """Which seed a row is of, behind its label; nothing where the run has one."""
    return f" (seed {replicate})" if board.run.profile["seeds"] > 1 else ""


def square_name(cell: Cell) -> str:
    """The scheme and the attack of a cell, such as `adi × prune(amount=0.3)` or `unmarked under adi × none`."""
    return f"{'unmarked under ' if cell.innocent else ''}{cell.scheme} × {cell.attack}"


def verdict(cell: Cell) -> str:
    """The word, with what is unclear behind `undecided`."""
    if cell.verdict.word == "undecided" and cell.verdict.reason:
        return f"undecided ({cell.verdict.reason})"
    return outcome(cell)


def outcome(cell: Cell) -> str:
    """The word, with a star where training anew would have done as well; (useless) behind it in a useless model."""
    word = cell.verdict.word + STAR * (NO_BETTER_THAN_SCRATCH in cell.verdict.flags)
    return f"{word} ({USELESS})" if USELESS in cell.verdict.flags else word


def counted(words: Iterable[str], n: int) -> list[str]:
    """How often each word fell out of `n`, the most frequent first: `survived 3/5`, `undecided 2/5`."""
    return [f"{word} {count}/{n}" for word, count in Counter(words).most_common()]


def square(cells: Sequence[Cell]) -> list[str]:
    """The lines of one square of the matrix: the verdict first, then what backs it. Several cells: several seeds."""
    if not cells:
        return ["–"]
    if len(cells) > 1:
        return _seeds(cells)
    cell = cells[0]
    lines = [verdict(cell)]
    if cell.after is not None:
        lines.append(evidence(cell.after))
    if cell.committed is not None and cell.after is not None:
        lines += [f"{name} {changed(lost.delta, lost.unit)}" for name, lost in cell.gates.items()]
        lines.append(f"{cell.committed.word} with commitment")
    elif cell.utility is not None:
        lines.append(changed(cell.utility.delta, cell.unit))
    if cell.kind == "function-preserving" and cell.agreement is not None:
        lines.append(agreement(cell.agreement))
    return [*lines, *(flag(cell, one) for one in cell.verdict.flags if one != NO_BETTER_THAN_SCRATCH)]


def flag(cell: Cell, name: str) -> str:
    """A flag of a cell's verdict, and how many where it counts: key images that the thief had, innocents as high."""
    if name == KEY_IN_POOL and cell.overlap:
        return f"{name}: {cell.overlap.held} of {cell.overlap.of}"
    if name == INNOCENTS_AS_HIGH and cell.after and (one := cell.after.innocents):
        return f"{name}: {one.as_high} of {one.of}"
    return name


def _seeds(cells: Sequence[Cell]) -> list[str]:
    lines = counted((verdict(cell) for cell in cells), len(cells))
    committed = (cell.committed.word for cell in cells if cell.committed)
    lines += [f"{one} with commitment" for one in counted(committed, len(cells))]
    tally = Tally.of(cell.verdict for cell in cells)
    if tally.judged > 1:
        low, high = wilson(tally.withstood, tally.judged)
        useless = f", {tally.useless} useless" if tally.useless else ""
        lines.append(f"withstood {_both_ways(tally.withstood, tally)} [{low:.2f}, {high:.2f}]{useless}")
    strengths = sorted((cell.after.log10_p, cell.after.grade) for cell in cells if cell.after is not None)
    if strengths:
        (least, grade), most = strengths[0], strengths[-1]
        once = grade == most[1] and p_value(least) != p_value(most[0])  # a grade that is that of both ends
        lines.append(" to ".join(dict.fromkeys((graded(least, None if once else grade), graded(*most)))))
    if inverted := sum(cell.after.inverted for cell in cells if cell.after is not None):
        lines.append(f"inverted {inverted}/{len(cells)}")
    changes = [cell.utility.delta for cell in cells if cell.utility is not None]
    if changes:
        lines.append(changed(sum(changes) / len(changes), cells[0].unit))
    return lines
