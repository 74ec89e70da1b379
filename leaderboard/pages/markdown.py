"""`leaderboard.md`: the run as one page for a code host. Names, parameters and reasons are untrusted text."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.vocabulary import CLAIM_KINDS
from leaderboard.analysis.sweeps import THIEFS_CHOICE, Curve, choices, curves
from leaderboard.judge.board import Board
from leaderboard.judge.verdicts import Tally
from leaderboard.pages import wording
from leaderboard.pages.md_table import escape, table
from leaderboard.pages.sections import protocol, results, scores, sweeps
from leaderboard.pages.sections.section import on_tracks
from leaderboard.stats.utility_test import LEAST_GAIN

_ALARMS = ("removed", "forged", "false-positive", "crashed", "timeout", "oom")


def page(board: Board, swept: Sequence[Curve] | None = None) -> str:
    """The whole page. swept: the board's curves, where they are known already."""
    found = curves(board) if swept is None else swept
    parts = [
        f"# Watermark robustness: {escape(board.run.described['run'])}",
        *(f"**{size}.** {numbers}" for size, numbers in headlines(board)),
        *tracks(board),
        how_to_read(board),
        "## The matrix",
        *matrix(board, found),
        "## Verdicts by board",
        results.by_board(board),
        "## Schemes in this run",
        *on_tracks(board, lambda part: [results.ranked_schemes(part)]),
        "## Attacks in this run",
        *on_tracks(board, results.ranked_attacks),
        *scores.sections(board),
        *sweeps.curve_section(board, found),
        *results.claims(board),
        "## Innocent models",
        results.false_alarms(board),
        results.near_misses(board),
        *on_tracks(board, innocents),
        "## Fidelity and embedding cost",
        *on_tracks(board, lambda part: [results.fidelity(part)]),
        *results.channels(board),
        "## What the attacks cost",
        *on_tracks(board, lambda part: [protocol.costs(part)]),
        "## Threat model",
        *protocol.threat_model(board),
        "## At other thresholds",
        *on_tracks(board, lambda part: [protocol.thresholds(part)]),
        "## Protocol",
        *protocol.protocol(board),
        "## Reasons",
        protocol.reasons(board),
        "## Legend",
        *legend(),
    ]
    return "\n\n".join(parts) + "\n"


def headlines(board: Board) -> list[tuple[str, str]]:
    """Track by track, how large its matrix is, and what every board counts: boards are never summed."""
    return [_headline(part) for part in board.parts]


def _headline(board: Board) -> tuple[str, str]:
    said = []
    for kind in board.kinds:
        cells = board.owners(kind)
        tally = Tally.of(cell.verdict for cell in cells)
        if kind == "control" or not tally.judged:
            continue
        undecided = f" ({tally.undecided} undecided)" if tally.undecided else ""
        if kind in CLAIM_KINDS:
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
    schemes = f"{len(board.schemes)} scheme{'s' if len(board.schemes) != 1 else ''}"
    size = f"{schemes} against {len(board.attacks)} attack settings on {escape(board.track.task)}"
    text = "; ".join(said) or "nothing was judged yet"
    return size, f"{text[0].upper()}{text[1:]}."


def tracks(board: Board) -> list[str]:
    """Every task of the run: its sizes, nulls and budget."""
    header, *rows = wording.tracks(board.shown, board.useless_nulls)
    return [
        wording.about_tracks(board.shown),
        table(header, [[escape(text) for text in row] for row in rows], "llrrrlrrr"),
    ]


def how_to_read(board: Board) -> str:
    several = f"{wording.ABOUT_SEEDS} " if board.run.profile["seeds"] > 1 else ""
    return (
        "Every square is one scheme under one attack: the verdict, what is left of the mark (hits out of key items, "
        f"the p-value, how it is known), and the change of utility in {wording.units(board.shown)}. A mark is "
        f"present where p <= {wording.probability(board.alpha)}; utility is lost beyond "
        f"{escape(wording.budgets(board.shown))}{_useless(board)}. {several}A mark counts as "
        "held where it survives, or where the thief lost the model's utility with it. `5–6/7` reads: 5 of 7, or 6 if "
        "the undecided one counts too. The [legend](#legend) explains every word, [reasons](#reasons) every square "
        "that has no outcome."
    )


def _useless(board: Board) -> str:
    """What an image-to-image model must do to be of any use."""
    if all(track.unit == "points" for track in board.shown):
        return ""
    return f", or, on image-to-image tasks, where a model beats doing nothing by less than {LEAST_GAIN:g} dB"


def matrix(board: Board, swept: Sequence[Curve]) -> list[str]:
    """Attacks as rows and schemes as columns, one table for each kind of attack, track by track."""
    chosen = choices(board, swept)
    return on_tracks(board, lambda part: _matrix(part, chosen))


def _matrix(board: Board, chosen: set[tuple[str, str]]) -> list[str]:
    parts = []
    for kind in board.kinds:
        rows = [
            [escape(attack.label), *(_square(board, scheme.label, attack.label, chosen) for scheme in board.schemes)]
            for attack in board.attacks
            if attack.kind == kind
        ]
        parts += [f"### {kind.capitalize()}", table(["attack", *(escape(s.label) for s in board.schemes)], rows)]
    return parts


def innocents(board: Board) -> list[str]:
    """Every verdict on innocent models."""
    labels = dict.fromkeys(cell.attack for cell in board.cells if cell.innocent and cell.jobs)
    rows = [
        [escape(label), *(_square(board, scheme.label, label, set(), innocent=True) for scheme in board.schemes)]
        for label in labels
    ]
    header = ["unmarked, after", *(escape(scheme.label) for scheme in board.schemes)]
    return [table(header, rows)] if rows else []


def _square(board: Board, scheme: str, attack: str, chosen: set[tuple[str, str]], *, innocent: bool = False) -> str:
    cells = board.at(scheme, attack, innocent=innocent)
    lines = [f"**{escape(line)}**" if line.split(" ")[0] in _ALARMS else escape(line) for line in wording.square(cells)]
    choice = [THIEFS_CHOICE] if (scheme, attack) in chosen else []
    return "<br>".join([*lines, *choice])


def legend() -> list[str]:
    words = [[f"`{word}`", _code(meaning)] for word, meaning in wording.LEGEND.items()]
    grades = [[f"`{grade}`", _code(meaning)] for grade, meaning in wording.GRADES.items()]
    return [table(["verdict or flag", "meaning"], words), table(["grade of a p-value", "meaning"], grades)]


def _code(ours: str) -> str:
    """Our own text, in which back-ticks mean code."""
    return escape(ours).replace("\\`", "`")
