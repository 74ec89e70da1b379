"""False accusations: how often each scheme's keys accuse models that never saw them, and how near the others came."""

from __future__ import annotations

from collections.abc import Sequence

from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell
from leaderboard.judge.false_positives import FalseAlarms
from leaderboard.pages import wording
from leaderboard.pages.page_model import Inline, Section, filled, lines, per_task, strong
from leaderboard.pages.short_names import names
from leaderboard.stats.tails import bound_of_none

_ALARM = "false-positive"
NEAREST = 3  # innocents shown for every scheme
_NONE_OF = (16, 60, 299, 2995)  # numbers of unmarked models whose bounds are printed


def none_bounds(nulls: int) -> str:
    """What no hit among so many unmarked models says, beside other numbers of them."""
    shown = (f"of {one:,} {100 * bound_of_none(one):.2g} %" for one in _NONE_OF if one != nulls)
    return (
        f"Where none of {nulls:,} unmarked models scores as high as a suspect, up to {100 * bound_of_none(nulls):.2g} "
        f"% of all such models still may (one-sided 95 %; {', '.join(shown)})."
    )


def false_alarms(board: Board) -> Section:
    """How often each scheme's keys accuse models that never saw them, with Clopper-Pearson bounds."""
    text = (
        "How often does a key accuse a model that never bore its mark? Verdicts: on an innocent model, as it is and "
        "after every attack. Models: the same, each counted once however often it was attacked, with the rate that is "
        "not ruled out at 95 % (one-sided, Clopper-Pearson). Nulls: the unmarked models that p-values are measured on, "
        "each judged by all the others. Other owners' models carry the mark of another seed's key: innocent of this "
        "one, but marked, so they are shown and never counted."
    )
    header = ["scheme", "false positives, of verdicts", "models ever accused", "nulls accused by the others",
              "other owners' models accused"]  # fmt: skip
    short = names(board).schemes
    rows = [[short[row.label], *_counts(row.false_alarms)] for row in board.schemes]
    return filled(Section("False alarms", text, header, rows, "lrrrr"))


def _counts(found: FalseAlarms) -> list[str]:
    """Dashes where there was nothing to accuse."""
    seen = found.tally.count("not-marked", "false-positive")
    return [
        f"{found.tally.count('false-positive')}/{seen}" if seen else "–",
        f"{found.fired}/{found.models}, up to {found.bound:.2f}" if found.models else "–",
        f"{found.null_fired}/{found.nulls}, up to {found.null_bound:.2f}" if found.nulls else "–",
        f"{found.rival_fired}/{found.rivals}" if found.rivals else "–",
    ]


def near_misses(board: Board) -> Section:
    """The innocent models that came nearest to an accusation, for every scheme."""
    rows: list[list[Inline]] = []
    schemes, attacks = names(board).schemes, names(board).attacks
    for row in board.schemes:
        seen = ((cell.after, cell) for cell in board.innocents(row.label))
        read = [(after, cell) for after, cell in seen if after is not None and not wording.is_unreadable(after)]
        for place, (found, cell) in enumerate(sorted(read, key=lambda pair: pair[0].log10_p)[:NEAREST]):
            word = cell.verdict.word
            said = strong(word) if word == "false-positive" else word
            model = attacks.get(cell.attack, cell.attack) + wording.seed(board, cell.replicate)
            rows.append(
                ["" if place else schemes[row.label], model, wording.evidence(found), wording.theta(found), said]
            )
    if not rows:
        return Section("Near misses", "No innocent model was read.")
    text = (
        f"The {NEAREST} verdicts on innocent models that came nearest to an accusation, for each scheme. Evidence: "
        "hits of the key's items, or their mean score, and p. Present from: where it would have accused. Among many "
        "verdicts the smallest p is small by chance: it is no p-value of the scheme."
    )
    header = ["scheme", "innocent model, after", "evidence", "present from", "verdict"]
    return Section("Near misses", text, header, rows, "lllrl")


@per_task
def innocent_models(board: Board) -> Section:
    """Every verdict on models without a mark, under each scheme's key."""
    schemes, attacks = names(board).schemes, names(board).attacks
    labels = dict.fromkeys(cell.attack for cell in board.cells if cell.innocent and cell.jobs)
    rows = [
        [attacks.get(label, label), *(_square(board.at(one, label, innocent=True)) for one in schemes)]
        for label in labels
    ]
    text = (
        "A row is what was done to the innocent model (none: nothing), a column is whose key it was judged with. A "
        "square says how many verdicts accuse it, and the smallest p. A dash: the attack can't be run."
    )
    return Section("Every verdict on an innocent model", text, ["unmarked, after", *schemes.values()], rows)


def _square(cells: Sequence[Cell]) -> Inline:
    """`0/5 p=0.12 exact`; other words than not-marked and false-positive behind it."""
    judged = [cell.verdict.word for cell in cells if cell.verdict.word in ("not-marked", "false-positive")]
    others = [cell.verdict.word for cell in cells if cell.verdict.word not in ("not-marked", "not-applicable", _ALARM)]
    read = [(one.log10_p, one.grade) for cell in cells if (one := cell.after) and not wording.is_unreadable(one)]
    least = f" {wording.graded(*min(read))}" if read else ""
    alarms = judged.count(_ALARM)
    said = f"{alarms}/{len(judged)}{least}"
    counts: list[Inline] = [strong(said) if alarms else said] if judged else []
    return lines([*counts, *wording.counted(others, len(cells))])
