"""Under what conditions a run found it: tasks, thresholds and protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from benchmark.vocabulary import CLAIM_KINDS
from leaderboard.analysis.error_rates import ALPHAS
from leaderboard.judge.board import Board
from leaderboard.judge.rules import CHANGES, RULES
from leaderboard.judge.verdicts import Tally
from leaderboard.pages import wording
from leaderboard.pages.page_model import Inline, Section, lines, per_task
from leaderboard.pages.sections import results
from leaderboard.pages.sections.innocents import none_bounds
from leaderboard.pages.sections.legend import GRADES

OWN_PACKAGE = "watermark-bench"  # its version stands at the top; old records hold what pip had noted of it
OTHER_BUDGETS = {"points": (1.0, 2.0, 3.0, 5.0, 10.0), "dB": (0.25, 0.5, 1.0, 2.0, 3.0)}


def tasks(board: Board) -> Section:
    """Every task of the run: its sizes, nulls and budget."""
    rows = []
    for one in board.shown:
        useless = board.useless_nulls.get(one.task)
        least = "below 3 dB over doing nothing" if one.unit == "dB" else "no better than the most frequent class"
        out = f" ({useless} left out: {least})" if useless else ""
        nulls = f"{wording.nulls(one.nulls, one.surrogates)}{out}"
        sizes = (f"{count:,}" for count in (one.owner, one.thief, one.test))
        level = f"{one.budget:g} {one.unit}", wording.probability(one.alpha)
        rows.append([one.task, one.kind, *sizes, one.architecture, nulls, *level])
    header = ["task", "kind", "owner's images", "thief's", "test", "architecture", "nulls", "budget", "alpha"]
    text = "Each task has its own images, unmarked models (nulls), unit of utility and budget. "
    text += none_bounds(board.shown[0].nulls)
    if weights := board.run.described["profile"].get("weights"):
        text += (
            f" The host begins with weights of its owner's (SHA-256 {weights}), and so do the nulls, which are "
            "independent fine-tunes of them by the host's recipe. Nets of the same architecture from scratch are a "
            "second pool, and the larger p counts."
        )
    if any(one.surrogates for one in board.shown):
        text += f" {wording.ABOUT_SURROGATES}"
    return Section("Tasks", text, header, rows, "llrrrlrrr")


@per_task
def thresholds(board: Board) -> Section:
    """The records read at other alphas and budgets."""
    kinds, track = [kind for kind in board.kinds if kind != "control"], board.track
    settings = [(alpha, track.budget) for alpha in sorted({*ALPHAS, track.alpha}, reverse=True)]
    budgets = sorted({*OTHER_BUDGETS[track.unit], track.budget})
    settings += [(track.alpha, budget) for budget in budgets if budget != track.budget]
    rows = []
    for alpha, budget in settings:
        read = board.at_thresholds(alpha, budget)
        innocent = Tally.of(verdict for cell, verdict in read if cell.innocent)
        owners = {kind: Tally.of(word for c, word in read if c.kind == kind and not c.innocent) for kind in kinds}
        counts = (
            wording.rejected(tally) if kind in CLAIM_KINDS else wording.three(tally) for kind, tally in owners.items()
        )
        failed = str(sum(tally.count("embed-failed") for tally in owners.values()) or "–")
        accused = f"{innocent.count('false-positive')}/{innocent.count('not-marked', 'false-positive')}"
        rows.append([wording.probability(alpha), f"{budget:g}", *counts, failed, accused])
    titles = (f"{kind}: rejected" if kind in CLAIM_KINDS else kind for kind in kinds)
    header = ["alpha", f"budget, {track.unit}", *titles, "embed-failed", "false positives"]
    text = (
        "The same records, read again with another alpha (a mark is proved at a p no larger) or budget (the loss of "
        "utility at which a model keeps its use). "
        f"{results.ABOUT_COUNTS} Claims are those before a court that sees no dates."
    )
    return Section("At other thresholds", text, header, rows, "r" * len(header))


def how_it_ran(board: Board) -> Section:
    """Command, profile, data, hardware and how much of the plan has a record."""
    described, profile = board.run.described, board.run.profile
    engines = {record["job"].get("engine", "unknown")[:12] for record in board.run.records.values()}
    facts: list[tuple[str, Inline]] = [
        ("command", described["command"]),
        ("created", described["created"]),
        ("made by", f"watermark-bench {described['version']}, code {', '.join(sorted(engines))}"),
        ("profile", f"{profile['name']}, {profile['seeds']} seed{'s' if profile['seeds'] > 1 else ''}"),
        ("judged by", lines([f"rules {RULES}{', strictly' if board.track.strict else ''}:", *CHANGES[RULES]])),
        ("judged at", f"alpha {wording.probability(board.alpha)}, budget {wording.budgets(board.shown)}"),
        *((f"SHA-256 of {track.task}", track.sha256) for track in board.shown),
        ("hardware", ", ".join(sorted({f"{one['hardware']} ({one['device']})" for one in _ran(board)}))),
        ("jobs", f"{len(board.run.records)} of {len(described['jobs'])} have a record"),
        *((f"plug-in left out: {PurePath(one['path']).name}", one["reason"]) for one in described["broken"]),
    ]
    return _facts("Protocol", facts)


def protocol(board: Board) -> Section:
    """The same with the whole profile, the data, all versions, and how small the p-values of each grade became."""
    versions: dict[str, set[str]] = {}
    for one in _ran(board):
        for package, version in one["versions"].items():
            if package != OWN_PACKAGE:
                versions.setdefault(package, set()).add(version)
    facts = [
        *((name, _value(value)) for name, value in board.run.profile.items()),
        *((f"{one['task']}: {name}", _value(value)) for one in board.run.described["data"] for name, value in
          one.items() if name != "sha256"),
        *((f"version: {name}", ", ".join(sorted(found))) for name, found in sorted(versions.items())),
        *((f"smallest p, {grade}", p) for grade, p in _smallest(board)),
    ]  # fmt: skip
    return replace(how_it_ran(board), parts=[_facts("Settings and versions", facts)])


def _facts(title: str, facts: Sequence[tuple[str, Inline]]) -> Section:
    """Names and values, without those that have none."""
    return Section(title, header=["what", "value"], rows=[fact for fact in facts if fact[1]])


def _ran(board: Board) -> list[Mapping[str, Any]]:
    return [record["run"] for record in board.run.records.values() if record["status"] == "ok"]


def _value(value: object) -> str:
    """Settings within settings in parentheses, an empty list as none."""
    if isinstance(value, Mapping):
        inner = ((name, f"({_value(one)})" if isinstance(one, Mapping) else _value(one)) for name, one in value.items())
        return ", ".join(f"{name}={one}" for name, one in inner)
    return ", ".join(map(str, value)) or "none" if isinstance(value, list | tuple) else str(value)


def _smallest(board: Board) -> list[tuple[str, str]]:
    found: dict[str, float] = {}
    for cell in board.cells:
        if cell.after is not None and not wording.is_unreadable(cell.after):
            found[cell.after.grade] = min(found.get(cell.after.grade, 0.0), cell.after.log10_p)
    ranks = ("that ranks alone allow", f"p={1 / (max(track.nulls for track in board.shown) + 1):.2g}")
    return [*((grade, wording.graded(found[grade], grade)) for grade in GRADES if grade in found), ranks]
