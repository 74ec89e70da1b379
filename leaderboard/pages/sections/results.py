"""What a run found, square by square counted: headlines, verdicts by board, schemes and attacks in their order."""

from __future__ import annotations

from benchmark.vocabulary import CLAIM_KINDS, ORACLE_KINDS
from leaderboard.analysis.auto import by_setting
from leaderboard.judge.board import Board
from leaderboard.judge.summaries import AttackRow, SchemeRow
from leaderboard.judge.verdicts import NO_COURT, Tally
from leaderboard.pages import wording
from leaderboard.pages.page_model import Section, filled, per_task
from leaderboard.pages.sections import auto, legend
from leaderboard.pages.short_names import names
from leaderboard.stats.seeds import what_seeds_allow

ABOUT_COUNTS = (
    "Held: the mark can still be proved, in a model of use. Useless: the thief lost the utility, with the mark or "
    "without it. Broken: removed or unprovable, in a model as useful as before. The rest is undecided."
)

ABOUT_TIERS = (
    "of the work of training one host (a net before it is marked), 0 up to 1 %, 1 up to 5 %, 2 up to 25 %, 3 up to "
    "100 %, 4 above."
)


def headlines(board: Board) -> list[tuple[str, str]]:
    """Track by track, survival under `auto`; then how large its matrix is, and what every board counts: no sums."""
    ranking = [said for part in board.parts if (said := auto.headline(part))]
    return [*ranking, *(_headline(part) for part in board.parts)]


def _headline(board: Board) -> tuple[str, str]:
    said = []
    for kind in board.kinds:
        cells = board.owners(kind)
        tally = Tally.of(cell.verdict for cell in cells)
        if kind == "control" or not (tally.judged or tally.count(NO_COURT)):
            continue
        undecided = f" ({tally.undecided} undecided)" if tally.undecided else ""
        if kind in CLAIM_KINDS:
            committed = Tally.of(cell.committed or cell.verdict for cell in cells)
            forged = f"{tally.broken} of {tally.judged} claims forged{undecided}" if tally.judged else ""
            empty = (
                f"{tally.count(NO_COURT)} before a court that no key could convince" if tally.count(NO_COURT) else ""
            )
            found = " and ".join(filter(None, (forged, empty)))
            said.append(f"{kind}: {found}, {committed.broken} forged where keys must be committed")
        else:
            said.append(f"{kind}: {wording.three(tally)} marks{undecided}")
    innocent = Tally.of(cell.verdict for cell in board.cells if cell.innocent)
    if seen := innocent.count("not-marked", "false-positive"):
        said.append(f"{innocent.count('false-positive')} of {seen} verdicts on innocent models accuse them")
    schemes = f"{len(board.schemes)} scheme{'s' if len(board.schemes) != 1 else ''}"
    size = f"{schemes} against {len(board.attacks)} attack settings on {board.track.task}"
    text = "; ".join(said) or "nothing was judged yet"
    return size, f"{text[0].upper()}{text[1:]}."


def by_board(board: Board) -> Section:
    """Every word's count for every kind of attack, and the share that is undecided."""
    tallies: dict[str, Tally] = {}
    for part in board.parts:
        on = f", {part.track.task}" if len(board.parts) > 1 else ""
        tallies |= {f"{kind}{on}": Tally.of(cell.verdict for cell in part.owners(kind)) for kind in part.kinds}
        tallies[f"innocent models{on}"] = Tally.of(cell.verdict for cell in part.cells if cell.innocent)
    words = [word for word in legend.LEGEND if any(tally.count(word) for tally in tallies.values())]
    rows = []
    for name, tally in tallies.items():
        share = wording.percent(tally.undecided / tally.judged if tally.judged else None)
        rows.append([name, *(str(tally.count(word) or "–") for word in words), share])
    header = ["kind", *words, "undecided, of judged"]
    text = "How many cells have which verdict, for each kind of attack; legend.md says what the words mean."
    return Section("Verdicts by kind of attack", text, header, rows, "l" + "r" * len(header))


@per_task
def ranked_schemes(board: Board) -> Section:
    """Schemes by the share that held, board by board in the pages' order; counts, never a sum."""
    kinds = board.ranked_kinds

    ranked = {row.name: row.order for row in by_setting(board)}
    unranked = ((-1.0,), (-1.0,)) if ranked else ()

    def shares(row: SchemeRow) -> list[tuple[float, ...]]:
        return [*ranked.get(row.label, unranked), *(row.tallies[kind].shares for kind in kinds)]

    rows, short = [], names(board).schemes
    for row in sorted(board.schemes, key=shares, reverse=True):
        cells = [short[row.label]]
        for kind in kinds:
            if kind in CLAIM_KINDS:
                cells += [wording.rejected(row.tallies[kind]), wording.rejected(row.committed[kind])]
            else:
                cells.append(wording.three(row.tallies[kind]))
        left_out = Tally.of(cell.verdict for cell in board.owners(*kinds) if cell.scheme == row.label).left_out
        rows.append([*cells, str(left_out)])
    header = ["scheme"]
    for kind in kinds:
        header += [f"{kind}: rejected", "… with commitment"] if kind in CLAIM_KINDS else [kind]
    text = (
        f"{what_seeds_allow(board.run.profile['seeds'])} {ABOUT_COUNTS} Ordered by "
        f"{'survival under auto, then by ' if ranked else ''}the share held or useless on the "
        "first board, then on the next; boards are never summed. Left out: embed-failed, no-court, not-applicable, "
        "crashed, timeout and the like."
    )
    return Section("Schemes in this run", text, [*header, "squares left out"], rows, "l" + "r" * len(header))


@per_task
def ranked_attacks(board: Board) -> Section:
    """One table for each board: attacks by how many marks they broke or claims they forged, then by cost."""
    seeds = board.run.profile["seeds"]
    text = (
        f"{what_seeds_allow(seeds)} Counts are of schemes{' and seeds' if seeds > 1 else ''}. {ABOUT_COUNTS} "
        f"Utility and cost are medians over the schemes. Tiers: {ABOUT_TIERS}"
    )
    twins = ["against unmarked"] if any(row.against_twin is not None for row in board.attacks) else []
    if twins:
        text += " Against unmarked: the change from an unmarked net that was trained as long as the marked one."
    parts, short = [], names(board).attacks
    for kind in board.kinds:
        if kind == "control":
            continue
        claims = kind in CLAIM_KINDS
        rows = [
            [
                short[row.label],
                wording.broken(row.tally),
                wording.broken(row.committed) if claims else str(row.no_better or "–"),
                *([] if claims else _outcomes(row, board.track.unit, against_twin=bool(twins))),
                *wording.price(row),
            ]
            for row in sorted((row for row in board.attacks if row.kind == kind), key=_danger)
        ]
        counts = ["broken", "no better than scratch", "held", "useless", f"change, {board.track.unit}", *twins]
        header = ["attack", *(["forged", "… with commitment"] if claims else counts), "cost", "of training a host",
                  "tier"]  # fmt: skip
        about = wording.ABOUT_ORACLES if kind in ORACLE_KINDS else ""
        parts.append(filled(Section(kind.capitalize(), about, header, rows, "l" + "r" * len(header))))
    return Section("Attacks in this run", text, parts=parts)


def _danger(row: AttackRow) -> tuple[float, float, float]:
    m = row.tally.judged
    return -(row.tally.broken / m if m else -1.0), -(row.tally.undecided / m if m else 0.0), row.relative or 0.0


def _outcomes(row: AttackRow, unit: str, *, against_twin: bool) -> list[str]:
    changes = [row.change, *([row.against_twin] if against_twin else [])]
    medians = ["–" if change is None else wording.change(change, unit) for change in changes]
    return [str(row.tally.held or "–"), str(row.tally.useless or "–"), *medians]
