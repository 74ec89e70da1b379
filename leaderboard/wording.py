"""How the pages write numbers and verdicts: short, with the sign that counts, the same everywhere."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from leaderboard.cells import Agreement, Cell, Channel
from leaderboard.evidence import Evidence
from leaderboard.rows import AttackRow, FalseAlarms, Tally
from leaderboard.statistics import wilson
from leaderboard.utility import Utility

CLAIM_KINDS = ("ambiguity", "false-claim")

LEGEND = {
    "survived": "the owner's evidence is still present (p <= alpha) in what the thief ended up with",
    "removed": "the evidence is absent and the model is as useful as before",
    "utility-lost": "the evidence is not present, but the model lost more than the budget: counted as survived",
    "undecided": "neither shown nor ruled out; the word behind it says what is unclear: evidence, utility, both, nulls",
    "embed-failed": "the mark was not there before the attack: left out of survival",
    "forged": "a thief's claim that the court would believe",
    "rejected": "a thief's claim that the court would not believe",
    "not-marked": "an innocent model that the owner's key does not accuse",
    "false-positive": "an innocent model that the owner's key accuses",
    "not-applicable": "this pair can't be run; the reason is given",
    "crashed": "a job raised an error, or its worker was killed",
    "timeout": "a job ran past its time limit",
    "oom": "a job ran out of memory, also alone on its device",
    "not-run": "no job of this cell failed; it was simply not run yet",
    "no-better-than-scratch": "flag of `removed`: training anew on the thief's own data gives as useful a model",
    "claim-refused": "flag of `survived`: the evidence is there, but a gate (a separate test) is lost",
    "claim-unclear": "flag of `survived`: the evidence is there, and a gate is unclear",
}
GRADES = {
    "exact": "the null law is known in closed form, for an admissible key",
    "ranked": "as many nulls or fresh keys were scored as alpha asks for",
    "extrapolated": "the prediction rule reaches beyond the nulls: 1e-3 reads about 1e-3, up to 7e-3 for single keys",
}


def p_value(log10_p: float) -> str:
    """A p-value: `p=0.27` down to 0.01, then its power of ten, `10^-3.2`, `10^-59`."""
    if log10_p == -math.inf:
        return "p=0"
    if log10_p > -2:
        return f"p={10**log10_p:.2g}"
    return f"10^{log10_p:.1f}" if log10_p > -10 else f"10^{log10_p:.0f}"


def evidence(found: Evidence) -> str:
    """What is left of the mark, such as `96/100 10^-59 exact`."""
    if is_unreadable(found):
        return "unreadable: no evidence"
    return f"{total(found.total, found.n, found.kind == 'count')} {p_value(found.log10_p)} {found.grade}"


def is_unreadable(found: Evidence) -> bool:
    """Whether the court could not read the suspect; only then does absent evidence have a reason."""
    return found.state == "absent" and found.reason is not None


def total(value: float, n: int, count: bool = True) -> str:
    """Hits out of n, or the mean of n real scores."""
    return f"{value:.0f}/{n}" if count else f"{value:.3g} (n {n})"


def channel(found: Channel | None) -> str:
    """The total of a printed channel; a dash where it was not seen."""
    return "–" if found is None else total(found.total, found.n, isinstance(found.total, int))


def points(delta: float) -> str:
    """The change of utility behind a net loss, in points with its sign: a loss of 0.013 is `-1.3`."""
    change = round(-100 * delta, 1)
    return f"{change:+.1f}" if change else "0.0"


def points_interval(found: Utility) -> str:
    """The change of utility and its 90 % interval, in points."""
    low, high = found.interval
    return f"{points(found.delta)} [{points(high)}, {points(low)}]"


def agreement(found: Agreement) -> str:
    """How alike two models answer, such as `100.0 % agree, gap 1e-05`."""
    return f"{percent(found.labels)} agree, gap {found.largest_gap:.0e}"


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


def price(row: AttackRow) -> list[str]:
    """Device time of an attack, its counted work over that of training one host, and its tier."""
    if row.cost is None:
        return ["–", "–", "–"]
    return [seconds(row.cost.seconds), of_a_host(row.relative), "–" if row.tier is None else str(row.tier)]


def probability(value: float) -> str:
    """A level such as alpha: `0.05`, `0.001`, `1e-6`."""
    return f"{value:g}".replace("e-0", "e-")


def held(tally: Tally) -> str:
    """Held of judged, both ways of counting undecided: `5/7`, or `5–6/7` with one undecided; a dash for none."""
    if not tally.judged:
        return "–"
    return _both_ways(tally.held, tally)


def broken(tally: Tally) -> str:
    """Broken of judged, both ways of counting undecided."""
    return _both_ways(tally.broken, tally) if tally.judged else "–"


def _both_ways(count: int, tally: Tally) -> str:
    most = f"–{count + tally.undecided}" if tally.undecided else ""
    return f"{count}{most}/{tally.judged}"


def alarms(found: FalseAlarms, at_most: str = "<=") -> list[str]:
    """False positives of verdicts, models ever accused and nulls accused by the others; dashes for none seen."""
    seen = found.tally.count("not-marked", "false-positive")
    return [
        f"{found.tally.count('false-positive')}/{seen}" if seen else "–",
        f"{found.fired}/{found.models}, {at_most} {found.bound:.2f}" if found.models else "–",
        f"{found.null_fired}/{found.nulls}, {at_most} {found.null_bound:.2f}" if found.nulls else "–",
    ]


def verdict(cell: Cell) -> str:
    """The word, with what is unclear behind `undecided`."""
    if cell.verdict.word == "undecided" and cell.verdict.reason:
        return f"undecided ({cell.verdict.reason})"
    return cell.verdict.word


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
        lines += [f"{name} {points(gate.delta)}" for name, gate in cell.gates.items()]
        lines.append(f"{cell.committed.word} with commitment")
    elif cell.utility is not None:
        lines.append(points(cell.utility.delta))
    if cell.kind == "function-preserving" and cell.agreement is not None:
        lines.append(agreement(cell.agreement))
    return lines + list(cell.verdict.flags)


def _seeds(cells: Sequence[Cell]) -> list[str]:
    words = Counter(verdict(cell) for cell in cells)
    lines = [f"{word} {count}/{len(cells)}" for word, count in words.most_common()]
    committed = Counter(cell.committed.word for cell in cells if cell.committed)
    lines += [f"{word} {count}/{len(cells)} with commitment" for word, count in committed.most_common()]
    tally = Tally.of(cell.verdict for cell in cells)
    if tally.judged > 1:
        low, high = wilson(tally.held, tally.judged)
        lines.append(f"held {held(tally)} [{low:.2f}, {high:.2f}]")
    strengths = sorted(cell.after.log10_p for cell in cells if cell.after is not None)
    if strengths:
        lines.append(f"{p_value(strengths[0])} to {p_value(strengths[-1])}")
    changes = [cell.utility.delta for cell in cells if cell.utility is not None]
    if changes:
        lines.append(points(sum(changes) / len(changes)))
    return lines
