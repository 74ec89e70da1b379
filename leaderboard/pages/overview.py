"""The tables beside the matrix on the HTML page, as plain text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from benchmark.vocabulary import CLAIM_KINDS, ORACLE_KINDS
from leaderboard.judge.board import Board
from leaderboard.judge.summaries import Fidelity
from leaderboard.pages import wording
from leaderboard.pages.md_table import one_line


@dataclass(frozen=True)
class Overview:
    """A titled table; the first column names the row."""

    title: str
    about: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def overviews(board: Board) -> list[Overview]:
    """What schemes held, what attacks broke and cost, false alarms, fidelity, the protocol, and the legend."""
    parts = [one for make in (_schemes, _attacks) for one in _on_tracks(board, make)]
    return [*parts, _false_alarms(board), *_on_tracks(board, _fidelity), _tracks(board), _protocol(board), _legend()]


def _on_tracks(board: Board, make: Callable[[Board], Overview]) -> list[Overview]:
    """One table for every track, named by its task where there are several."""
    if len(board.parts) == 1:
        return [make(board.parts[0])]
    found = [(part.track.task, make(part)) for part in board.parts]
    return [replace(one, title=f"{one.title}: {one_line(task)}") for task, one in found]


def _tracks(board: Board) -> Overview:
    header, *rows = wording.tracks(board.shown, board.useless_nulls)
    return Overview(
        "Tasks", wording.about_tracks(board.shown), header, [[one_line(text) for text in row] for row in rows]
    )


def _schemes(board: Board) -> Overview:
    kinds = board.ranked_kinds
    header = ["scheme"]
    for kind in kinds:
        header += [f"{kind}: rejected", "with commitment"] if kind in CLAIM_KINDS else [f"{kind}: held"]
    rows = []
    for row in board.schemes:
        cells = [one_line(row.label)]
        for kind in kinds:
            cells.append(wording.held(row.tallies[kind]))
            if kind in CLAIM_KINDS:
                cells.append(wording.held(row.committed[kind]))
        rows.append(cells)
    about = "Held of judged, board by board, never summed; 5–6/7 reads: 5 of 7, or 6 if the undecided one counts too."
    return Overview("Schemes", about, header, rows)


def _attacks(board: Board) -> Overview:
    rows = [
        [
            one_line(row.label),
            row.kind,
            wording.broken(row.tally),
            "–" if row.change is None else wording.change(row.change, board.track.unit),
            *wording.price(row),
        ]
        for row in board.attacks
        if row.kind != "control"
    ]
    header = ["attack", "board", "broken", f"change, {board.track.unit}", "device time", "of training a host", "tier"]
    about = "Marks removed or claims forged, of judged; utility and cost are medians over the schemes."
    if set(board.kinds) & set(ORACLE_KINDS):
        about += f" On the oracle boards: {wording.ABOUT_ORACLES}"
    return Overview("Attacks", about, header, rows)


def _false_alarms(board: Board) -> Overview:
    rows = [[one_line(row.label), *wording.alarms(row.false_alarms, at_most="≤")] for row in board.schemes]
    header = ["scheme", "false positives, of verdicts", "models ever accused", "nulls accused by the others",
              "other owners' models accused"]  # fmt: skip
    return Overview(
        "False alarms", "Bounds are one-sided 95 % Clopper-Pearson bounds over independent models.", header, rows
    )


def _fidelity(board: Board) -> Overview:
    rows = [
        [_seeded(board, row.label, found), *_embedding(found, board.track.unit)]
        for row in board.schemes
        for found in row.fidelity
    ]
    images = ["marked against unmarked"] if board.track.unit == "dB" else []
    change = f"change [90 %], {board.track.unit}"
    header = ["scheme", "unmarked", "marked", change, *images, "embedding", "fresh mark"]
    about = "Unmarked: the host of the same seed, or, marked ~, the mean of the clean nulls."
    return Overview("Fidelity and embedding", about, header, rows)


def _seeded(board: Board, label: str, found: Fidelity) -> str:
    return one_line(label) + (f" (seed {found.replicate})" if board.run.profile["seeds"] > 1 else "")


def _embedding(found: Fidelity, unit: str) -> list[str]:
    mark = found.evidence
    nulls = f"~ {wording.score(found.nulls, unit)}"
    return [
        wording.level(found.host, unit, found.host_ssim) if found.host is not None else nulls,
        wording.level(found.marked, unit, found.marked_ssim),
        wording.change_interval(found.drop) if found.drop else "–",
        *([wording.distortion(found.distortion)] if unit == "dB" else []),
        wording.seconds(found.cost.seconds) if found.cost else "–",
        f"{wording.evidence(mark)}, {mark.state}" if mark else "–",
    ]


def _protocol(board: Board) -> Overview:
    described, profile = board.run.described, board.run.profile
    ran = [record["run"] for record in board.run.records.values() if record["status"] == "ok"]
    facts = [
        ("command", described["command"]),
        ("created", described["created"]),
        ("watermark-bench", described["version"]),
        ("profile", f"{profile['name']}, {profile['seeds']} seed(s)"),
        *((f"sha256 of {track.task}", track.sha256) for track in board.shown),
        ("hardware", ", ".join(sorted({f"{one['hardware']} ({one['device']})" for one in ran}))),
        ("jobs", f"{len(board.run.records)} of {len(described['jobs'])} have a record"),
    ]
    rows = [[one_line(name), one_line(value)] for name, value in facts if value]
    return Overview("Protocol", "Threat models and all versions stand in leaderboard.md.", ["what", "value"], rows)


def _legend() -> Overview:
    rows = [[word, meaning.replace("`", "")] for word, meaning in {**wording.LEGEND, **wording.GRADES}.items()]
    return Overview("Legend", "Verdicts, flags, and the grades of p-values.", ["word", "meaning"], rows)
