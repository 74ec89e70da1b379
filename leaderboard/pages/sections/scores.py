"""Scores over seeds, cost to break, and power."""

from __future__ import annotations

from collections.abc import Mapping

from benchmark.vocabulary import CLAIM_KINDS
from leaderboard.analysis.power import Power, power
from leaderboard.analysis.ranking import CostToBreak, Ranked, Scores, SeedScore, Standing
from leaderboard.judge.board import Board
from leaderboard.pages import wording
from leaderboard.pages.page_model import Inline, Section, lines, per_task
from leaderboard.pages.short_names import names
from leaderboard.stats.seeds import what_seeds_allow
from leaderboard.stats.tails import wilson

TIERS = ("0 (up to 1 %)", "1 (up to 5 %)", "2 (up to 25 %)", "3 (up to 100 %)", "4 (any)")


def scores_over_seeds(board: Board) -> Section | None:
    """Scores and worst cases; None where there is one seed."""
    return _scores(board) if board.run.profile["seeds"] > 1 else None


@per_task
def _scores(board: Board) -> Section:
    scores = Scores(board)
    text = (
        f"{what_seeds_allow(board.run.profile['seeds'])} A seed redraws host, key and attack together. An attack is "
        "withstood where the mark held, and where the thief lost the utility, with it or without it: such cells are "
        "counted as useless, of all that count. Mean score: in each seed the share of attacks withstood, families of "
        "attacks counting alike; its 95 % interval is the wider of that between seeds and that within cells. Worst "
        "case: the smallest one-sided 95 % lower bound of that share over the attacks (Clopper-Pearson), which holds "
        "for all of them at once. Withstood every attack: seeds, with the Wilson 95 % interval. Lowest seen: the "
        "smallest share over the attacks, the worst of all settings on the seeds that are scored, biased down. Two "
        "numbers: undecided counted as broken, and as withstood. Ordered by the worst case, then by the mean score; "
        "schemes share a rank (=) unless the difference of their means is significant at 5 % after Holm over all "
        "pairs of the table. Only attacks judged in every seed count. Boards are never summed."
    )
    header = ["rank", "scheme", "seeds", "attacks", "mean score", "worst case", "withstood every attack",
              "lowest seen", "useless", "cells left out"]  # fmt: skip
    parts, short = [], names(board).schemes
    for kind in board.ranked_kinds:
        for committed in (False, True) if kind in CLAIM_KINDS else (False,):
            if ranked := scores.ranking(kind, committed=committed):
                rows = [_row(one, short) for one in ranked]
                title = f"Scores: {kind.capitalize()}{', keys must be committed' if committed else ''}"
                by_tier = _worst_by_tier(scores, short, kind, committed)
                parts.append(Section(title, "", header, rows, "rlrrrrrrrr", parts=by_tier))
    return Section("Scores over seeds", text, parts=parts)


def _row(one: Ranked, short: Mapping[str, str]) -> list[str]:
    found = one.standing
    rank = "–" if one.rank is None else f"{one.rank}{'=' if one.tied else ''}"
    return [rank, short[found.scheme], str(found.seeds), str(found.attacks), mean_score(found), *_extremes(found),
            f"{found.useless}/{found.attacks * found.seeds}", str(found.left_out or "–")]  # fmt: skip


def mean_score(found: Standing) -> str:
    """The mean score with its interval, such as `0.75 [0.63, 0.87]`; both ways where undecided cells matter."""
    low, high = found.low, found.high
    if low == high:
        return f"{low.mean:.2f}{_interval(low)}"
    return f"{low.mean:.2f}{_interval(low)} – {high.mean:.2f}{_interval(high)}"


def _interval(one: SeedScore) -> str:
    return "" if one.interval is None else f" [{one.interval[0]:.2f}, {one.interval[1]:.2f}]"


def _extremes(found: Standing) -> list[str]:
    """Worst case, survives-everything rate and lowest seen, both ways."""
    low, high = found.low, found.high
    fewest, most = wilson(low.survivors, found.seeds)[0], wilson(high.survivors, found.seeds)[1]
    count = f"{low.survivors}" if low.survivors == high.survivors else f"{low.survivors}–{high.survivors}"
    return [
        _both(low.worst, high.worst, ".3f"),
        f"{count}/{found.seeds} [{fewest:.2f}, {most:.2f}]",
        _both(low.lowest, high.lowest, ".2f"),
    ]


def _both(low: float, high: float, form: str) -> str:
    one, other = format(low, form), format(high, form)
    return one if one == other else f"{one}–{other}"


def _worst_by_tier(scores: Scores, short: Mapping[str, str], kind: str, committed: bool) -> list[Section]:
    """The worst case for thieves of growing means: attacks up to each tier. Empty where one tier says it all."""
    tiers = sorted({row.tier for row in scores.columns(kind) if row.tier is not None})
    if len(tiers) < 2:
        return []
    rows = [
        [f"up to {TIERS[tier]}", short[one.scheme], str(one.attacks), *_extremes(one)]
        for tier in tiers
        for one in scores.standings(kind, up_to=tier, committed=committed)
    ]
    header = ["cost tier", "scheme", "attacks", "worst case", "withstood every attack", "lowest seen"]
    return [Section(header=header, rows=rows, align="llrrrr")]


@per_task
def cost_to_break(board: Board) -> Section:
    """One row per scheme, one column per board: the cheapest attack that broke it, or that none did."""
    scores, kinds = Scores(board), board.ranked_kinds
    schemes, attacks = names(board).schemes, names(board).attacks
    rows = [
        [schemes[row.label], *(_price(scores.cost_to_break(row.label, kind), attacks) for kind in kinds)]
        for row in board.schemes
    ]
    text = (
        "The cheapest attack that broke the scheme (removed, unprovable, or forged without commitment) in more than "
        "half of its seeds: in how many, its work over training one host (a net before it is marked), and the time it "
        "took. Of an attack's settings the worst counts. Not broken: the cost lies above the dearest attack tried, or "
        "no attack of the kind does it."
    )
    return Section("Cost to break", text, ["scheme", *kinds], rows)


def _price(found: CostToBreak | None, short: Mapping[str, str]) -> Inline:
    if found is None:
        return "–"
    if found.attack is None:
        work = "" if found.dearest is None else f", up to {wording.of_a_host(found.dearest)} of a host"
        return f"not broken by {found.tried} attack{'s' if found.tried > 1 else ''}{work}"
    work = "work not counted" if found.relative is None else f"{wording.of_a_host(found.relative)} of a host"
    tier = "" if found.tier is None else f", tier {found.tier}"
    took = "" if found.seconds is None else f", {wording.seconds(found.seconds)}"
    scratch = ["no better than scratch"] if found.no_better else []
    return lines([short[found.attack], f"{found.broken}/{found.seeds}, {work}{tier}{took}", *scratch])


@per_task
def power_of_boards(board: Board) -> Section:
    """What the cells of each board could have decided at all, from the most to the least sensitive cell."""
    unit = board.track.unit
    rows = []
    for kind in board.kinds:
        found = [one for cell in board.owners(kind) if (one := power(cell)) is not None]
        if found:
            rows.append([kind, str(len(found)), *_ranges(found, unit)])
    if not rows:
        return Section("Power", "No cell was judged yet.")
    text = (
        "What a cell could have decided, given its test images, key items and nulls: up to which net loss of utility "
        f"it would have said kept, from which on lost ({unit}, with the {'gains' if unit == 'points' else 'spread'} it "
        "saw), and from which hit rate on the mark would have been present (never: no rate is enough, or the suspect "
        "can't be read). Ranges are over the cells of a board."
    )
    header = ["board", "cells", f"kept up to, {unit}", f"lost from, {unit}", "present from"]
    return Section("Power", text, header, rows, "lrrrr")


def said(one: Power) -> str:
    """What one cell could have decided, in one line."""
    form = _form(one.unit)
    kept = "no loss reads kept" if one.kept is None else f"a net loss up to {one.kept:{form}} {one.unit} reads kept"
    lost = "none lost" if one.lost is None else f"from {one.lost:{form}} lost"
    present = "no hit rate is enough" if one.present is None else f"present from {one.present:.3g}"
    return f"{kept}, {lost}; {present}"


def _form(unit: str) -> str:
    return f".{wording.DIGITS[unit]}f"


def _ranges(found: list[Power], unit: str) -> list[str]:
    utility = ([one.kept for one in found], [one.lost for one in found])
    return [*(_range(values, _form(unit)) for values in utility), _range([one.present for one in found], ".2f")]


def _range(values: list[float | None], form: str) -> str:
    known = sorted(value for value in values if value is not None)
    if not known:
        return "never"
    never = ", or never" if len(known) < len(values) else ""
    return _both(known[0], known[-1], form) + never
