"""Attacks on the first page: what each broke, on which schemes, at what cost."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from leaderboard.analysis.overview import harm
from leaderboard.judge.board import Board
from leaderboard.judge.summaries import AttackRow, work_share
from leaderboard.judge.verdicts import BROKEN, NO_BETTER_THAN_SCRATCH, Tally
from leaderboard.pages import wording
from leaderboard.pages.page_model import Inline, Section, filled, joined, listed, per_task
from leaderboard.pages.sections.links import Links
from leaderboard.pages.short_names import attack_name

_MOST_ROWS = 40


def attacks(board: Board) -> Section:
    """One row for each attack that broke a mark or forged a claim, the worst first; the others in one line."""
    to = Links(board)

    @per_task
    def table(part: Board) -> Section:
        groups: dict[tuple[str, str], list[AttackRow]] = {}
        for row in part.attacks:
            if row.kind != "control":
                groups.setdefault((row.kind, attack_name(row.described)), []).append(row)
        found = [(kind, rows, _tally(rows)) for (kind, _), rows in groups.items()]
        judged = sorted((one for one in found if one[2].judged), key=lambda one: harm(one[2]), reverse=True)
        broke = [one for one in judged if one[2].broken]
        rest = [to.attack_page(rows[0].label) for _, rows, tally in judged if not tally.broken]
        more = f" Of {len(broke)}, the worst {_MOST_ROWS} are shown." if len(broke) > _MOST_ROWS else ""
        shown = [_row(part, kind, rows, tally, to) for kind, rows, tally in broke[:_MOST_ROWS]]
        parts = [Section(text=joined(["Broke nothing here: ", listed(rest), "."]))] if rest else []
        about = f"{_ABOUT}{more}" if shown else "No attack broke a mark or forged a claim."
        header = ["attack", "kind", "broke", "no better than scratch", "schemes", f"change, {part.track.unit}",
                  "work, of a training", "queries", "labels"]  # fmt: skip
        return filled(Section("Attacks", about, header if shown else [], shown, "llrrlrrrr", parts))

    return table(board)


_ABOUT = (
    "Worst first, over all settings of the attack, all schemes and seeds. Broke: marks that can't be proved any "
    "longer, in a model of as much use, or claims that a court believes which sees no dates; 5–6/7 reads 5 of 7, or "
    "6 if the undecided one counts. No better than scratch: in how many of these the thief gets as good a model by "
    "training anew on his own images. What it took are medians over the cases where it broke the mark: the change of "
    "utility, the work (1.3× is 1.3 trainings of a net), the queries to the stolen service, and the labelled images "
    "of the thief's own. A dash is none, and a column of dashes is left out."
)


def _tally(rows: Sequence[AttackRow]) -> Tally:
    words = dict.fromkeys(word for row in rows for word in row.tally.words)
    return Tally({word: sum(row.tally.count(word) for row in rows) for word in words},
                 sum(row.tally.survived_useless for row in rows))  # fmt: skip


def _row(board: Board, kind: str, rows: Sequence[AttackRow], tally: Tally, to: Links) -> list[Inline]:
    cells = [
        cell for row in rows for scheme in board.schemes for cell in board.at(scheme.label, row.label)
        if cell.verdict.word in BROKEN
    ]  # fmt: skip
    families = {row.label: str(row.described["name"]) for row in board.schemes}
    hit = dict.fromkeys(families[cell.scheme] for cell in cells)
    losses = [cell.utility.delta for cell in cells if cell.utility]
    costs = [cell.cost for cell in cells if cell.cost]
    work = [share for one in costs if (share := work_share(one, board.host_operations)) is not None]
    starred = sum(NO_BETTER_THAN_SCRATCH in cell.verdict.flags for cell in cells)
    settings = f", {len(rows)} settings" if len(rows) > 1 else ""
    name = to.attack_page(rows[0].label)
    return [
        (type(name)(attack_name(rows[0].described), "link", name.address), settings),
        kind,
        wording.broken(tally),
        str(starred or "–"),
        f"all {len(hit)}" if len(hit) == len({*families.values()}) > 2 else listed([to.family(one) for one in hit]),
        wording.change(median(losses), board.track.unit) if losses else "–",
        wording.of_a_host(median(work) if work else None),
        _count([one.queries for one in costs]),
        _count([one.labelled for one in costs]),
    ]


def _count(values: Sequence[int]) -> str:
    return f"{median(values):,g}" if values and median(values) else "–"
