"""`leaderboard.md`: the run as one page for a code host. Names, parameters and reasons are untrusted text."""

from __future__ import annotations

from leaderboard import axes, conditions, findings, standing, wording
from leaderboard.board import Board
from leaderboard.curves import choices, curves
from leaderboard.rows import Tally
from leaderboard.tables import escape, table

_ALARMS = ("removed", "forged", "false-positive", "crashed", "timeout", "oom")


def page(board: Board) -> str:
    """The whole page."""
    parts = [
        f"# Watermark robustness: {escape(board.run.described['run'])}",
        headline(board),
        how_to_read(board),
        "## The matrix",
        *matrix(board),
        "## Verdicts by board",
        findings.by_board(board),
        "## Schemes in this run",
        findings.ranked_schemes(board),
        "## Attacks in this run",
        *findings.ranked_attacks(board),
        *standing.sections(board),
        *axes.curve_section(board),
        *findings.claims(board),
        *axes.dispute_section(board),
        "## Innocent models",
        *innocents(board),
        "## Fidelity and embedding cost",
        findings.fidelity(board),
        *findings.channels(board),
        "## What the attacks cost",
        conditions.costs(board),
        "## Threat model",
        *conditions.threat_model(board),
        "## At other thresholds",
        conditions.thresholds(board),
        "## Protocol",
        *conditions.protocol(board),
        "## Reasons",
        conditions.reasons(board),
        "## Legend",
        *legend(),
    ]
    return "\n\n".join(parts) + "\n"


def headline(board: Board) -> str:
    """One sentence with the numbers of every board; boards are never summed."""
    said = []
    for kind in board.kinds:
        cells = board.owners(kind)
        tally = Tally.of(cell.verdict for cell in cells)
        if kind == "control" or not tally.judged:
            continue
        undecided = f" ({tally.undecided} undecided)" if tally.undecided else ""
        if kind in wording.CLAIM_KINDS:
            committed = Tally.of(cell.committed or cell.verdict for cell in cells)
            said.append(
                f"{kind}: {tally.broken} of {tally.judged} claims forged{undecided}, "
                f"{committed.broken} where keys must be committed"
            )
        else:
            said.append(f"{kind}: {tally.held} of {tally.judged} marks held{undecided}")
    innocent = Tally.of(cell.verdict for cell in board.cells if cell.innocent)
    if seen := innocent.count("not-marked", "false-positive"):
        said.append(f"{innocent.count('false-positive')} of {seen} verdicts on innocent models accuse them")
    task = escape(board.run.described["data"]["task"])
    size = f"{len(board.schemes)} schemes against {len(board.attacks)} attack settings on {task}"
    text = "; ".join(said) or "nothing was judged yet"
    return f"**{size}. {text[0].upper()}{text[1:]}.**"


def how_to_read(board: Board) -> str:
    return (
        "Every square is one scheme under one attack: the verdict, what is left of the mark (hits out of key items, "
        "the p-value, how it is known), and the change of utility in points. A mark is present where "
        f"p <= {wording.probability(board.alpha)}; utility is lost beyond {board.budget:g} points. A mark counts as "
        "held where it survives, or where the thief lost the model's utility with it. `5–6/7` reads: 5 of 7, or 6 if "
        "the undecided one counts too. The [legend](#legend) explains every word, [reasons](#reasons) every square "
        "that has no outcome."
    )


def matrix(board: Board) -> list[str]:
    """Attacks as rows and schemes as columns, one table for each kind of attack."""
    parts, chosen = [], choices(board, curves(board))
    for kind in board.kinds:
        rows = [
            [escape(attack.label), *(_square(board, scheme.label, attack.label, chosen) for scheme in board.schemes)]
            for attack in board.attacks
            if attack.kind == kind
        ]
        parts += [f"### {kind.capitalize()}", table(["attack", *(escape(s.label) for s in board.schemes)], rows)]
    return parts


def innocents(board: Board) -> list[str]:
    """The row `unmarked` beside every scheme: counts with their bounds, then every verdict."""
    labels = dict.fromkeys(cell.attack for cell in board.cells if cell.innocent and cell.jobs)
    rows = [
        [escape(label), *(_square(board, scheme.label, label, set(), innocent=True) for scheme in board.schemes)]
        for label in labels
    ]
    header = ["unmarked, after", *(escape(scheme.label) for scheme in board.schemes)]
    return [findings.false_alarms(board), table(header, rows)] if rows else [findings.false_alarms(board)]


def _square(board: Board, scheme: str, attack: str, chosen: set[tuple[str, str]], *, innocent: bool = False) -> str:
    cells = board.at(scheme, attack, innocent=innocent)
    first, *others = [escape(line) for line in wording.square(cells)]
    loud = any(cell.verdict.word in _ALARMS for cell in cells)
    choice = [axes.THIEFS_CHOICE] if (scheme, attack) in chosen else []
    return "<br>".join([f"**{first}**" if loud else first, *others, *choice])


def legend() -> list[str]:
    words = [[f"`{word}`", _code(meaning)] for word, meaning in wording.LEGEND.items()]
    grades = [[f"`{grade}`", _code(meaning)] for grade, meaning in wording.GRADES.items()]
    return [table(["verdict or flag", "meaning"], words), table(["grade of a p-value", "meaning"], grades)]


def _code(ours: str) -> str:
    """Our own text, in which back-ticks mean code."""
    return escape(ours).replace("\\`", "`")
