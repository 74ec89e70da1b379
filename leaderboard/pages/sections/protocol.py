"""Under what conditions a run found it: costs, threat model, thresholds, protocol, and reasons."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from benchmark.vocabulary import ORACLE_KINDS
from leaderboard.analysis.error_rates import ALPHAS
from leaderboard.judge.board import Board
from leaderboard.judge.verdicts import Tally
from leaderboard.pages import wording
from leaderboard.pages.md_table import escape, link, table

BUDGETS = {"points": (1.0, 2.0, 3.0, 5.0, 10.0), "dB": (0.25, 0.5, 1.0, 2.0, 3.0)}


def costs(board: Board) -> str:
    """Everything an attack used, medians over the schemes."""
    rows = []
    for row in board.attacks:
        cost = row.cost
        counted = (cost.steps, cost.samples, cost.labelled, cost.unlabelled, cost.queries) if cost else ()
        memory = f"{cost.peak_memory_mb:.0f} MB" if cost else "–"
        rows.append(
            [
                escape(row.label),
                *wording.price(row),
                memory,
                *(f"{count:,}" if count else "–" for count in counted or [0] * 5),
            ]
        )
    header = ["attack", "device time", "of a host", "tier", "peak memory", "steps", "samples", "labelled",
              "unlabelled", "queries"]  # fmt: skip
    host = "unknown" if board.host_seconds is None else wording.seconds(board.host_seconds)
    work = "" if board.host_operations is None else f" and {board.host_operations:.2g} operations"
    text = (
        f"Medians over the schemes. Training one host takes {host}{work}. The share of a host, and so the tier, is "
        "counted work over that: multiply-adds of convolutions and linear layers, forward and backward, queries among "
        "them, equal on every machine. Steps: optimiser steps; samples: images they saw; "
        "labelled and unlabelled: distinct images of the thief; queries: images answered by the stolen service. "
        "Peak memory is that of the worker process."
    )
    return f"{text}\n\n" + table(header, rows, "lrrrrrrrrr")


def threat_model(board: Board) -> list[str]:
    """What left the house, what the court sees, what the thief has and knows: every row and column."""
    schemes = [
        [
            escape(row.label),
            escape(row.described["doc"]),
            escape(row.described["release"]),
            escape(row.described["court"]),
            "trained net" if row.described["host"] else "–",
            escape(wording.parameters(row.described["parameters"])) or "–",
            link(row.described["paper"]),
        ]
        for row in board.schemes
    ]
    expected = [
        f"Expected before any run: {escape(row.label)}, {escape(reason)}."
        for row in board.schemes
        for reason in (row.described.get("expected_failure"), row.described.get("expected_forgery"))
        if reason
    ]
    groups: dict[tuple[str, ...], list[str]] = {}
    for row in board.attacks:
        what = escape(row.described["doc"]), _kind(row.described), _needs(row.described), link(row.described["paper"])
        stages = "; ".join(wording.parameters(one["parameters"]) or "no parameters" for one in row.described["stages"])
        groups.setdefault(what, []).append(f"**{escape(row.label)}**: {escape(stages)}")
    attacks = [["<br>".join(labels), *what] for what, labels in groups.items()]
    thief = board.run.profile["thief"]
    pool = "disjoint from the owner's" if thief["pool"] == "disjoint" else "the owner's own training set"
    text = (
        f"The thief of the matrix has {100 * thief['share']:g} % of a pool of images that is {escape(pool)}, and holds "
        "a tenth of them back to choose the strength of an attack by; no attack outside the "
        "key-oracle boards sees a key. Marks are judged with the owner's key, committed before the release."
    )
    return [
        text,
        table(
            ["scheme", "what it is", "leaves the house", "the court sees", "starts from", "parameters", "source"],
            schemes,
        ),
        *expected,
        table(["attack", "what it does", "kind, family", "needs", "source"], attacks),
    ]


def _kind(attack: Mapping[str, Any]) -> str:
    return escape(", ".join(dict.fromkeys((attack["kind"], attack["family"]))))


def _needs(attack: Mapping[str, Any]) -> str:
    if attack["target"] == "none":
        return "his own data only"
    knows = ["the scheme's code"] if attack["claim"] or attack["requires"] else []
    if attack["kind"] in ORACLE_KINDS:
        knows.append("the owner's key")
    return escape(", ".join([attack["access"], *knows, *(f"a scheme with {one}" for one in attack["requires"])]))


def thresholds(board: Board) -> str:
    """The records of one track read at other alphas and budgets."""
    kinds, track = [kind for kind in board.kinds if kind != "control"], board.track
    settings = [(alpha, track.budget) for alpha in sorted({*ALPHAS, track.alpha}, reverse=True)]
    budgets = sorted({*BUDGETS[track.unit], track.budget})
    settings += [(track.alpha, budget) for budget in budgets if budget != track.budget]
    rows = []
    for alpha, budget in settings:
        read = board.at_thresholds(alpha, budget)
        innocent = Tally.of(verdict for cell, verdict in read if cell.innocent)
        owners = {kind: Tally.of(word for c, word in read if c.kind == kind and not c.innocent) for kind in kinds}
        rows.append(
            [
                wording.probability(alpha),
                f"{budget:g}",
                *(wording.held(tally) for tally in owners.values()),
                str(sum(tally.count("embed-failed") for tally in owners.values()) or "–"),
                f"{innocent.count('false-positive')}/{innocent.count('not-marked', 'false-positive')}",
            ]
        )
    header = ["alpha", f"budget, {track.unit}", *(f"{kind}: held" for kind in kinds), "embed-failed", "false positives"]
    text = "The same records, read again. For claims, held means rejected (without commitment)."
    return f"{text}\n\n" + table(header, rows, "r" * len(header))


def protocol(board: Board) -> list[str]:
    """Profile, data, machine, versions, command, and how small the p-values of each grade became."""
    described, records = board.run.described, board.run.records.values()
    ran = [record["run"] for record in records if record["status"] == "ok"]
    engines = {record["job"].get("engine", "unknown")[:12] for record in records}
    versions: dict[str, set[str]] = {}
    for one in ran:
        for package, version in one["versions"].items():
            versions.setdefault(package, set()).add(version)
    facts: list[tuple[str, str]] = [
        ("command", described["command"]),
        ("created", described["created"]),
        ("made by", f"watermark-bench {described['version']}, code {', '.join(sorted(engines))}"),
        ("judged at", f"alpha {wording.probability(board.alpha)}, budget {wording.budgets(board.shown)}"),
        *((name, _value(value)) for name, value in described["profile"].items()),
        *((f"{track['task']}: {name}", _value(value)) for track in described["data"] for name, value in track.items()),
        ("hardware", ", ".join(sorted({f"{one['hardware']} ({one['device']})" for one in ran}))),
        *((f"version: {name}", ", ".join(sorted(found))) for name, found in sorted(versions.items())),
        ("jobs", f"{len(records)} of {len(described['jobs'])} have a record"),
        *((f"smallest p, {grade}", p) for grade, p in _smallest(board)),
        *((f"plug-in left out: {PurePath(one['path']).name}", one["reason"]) for one in described["broken"]),
    ]
    return [table(["what", "value"], [[escape(name), escape(value)] for name, value in facts if value])]


def _value(value: object) -> str:
    return ", ".join(f"{name}={one}" for name, one in value.items()) if isinstance(value, Mapping) else str(value)


def _smallest(board: Board) -> list[tuple[str, str]]:
    found: dict[str, float] = {}
    for cell in board.cells:
        if cell.after is not None and not wording.is_unreadable(cell.after):
            found[cell.after.grade] = min(found.get(cell.after.grade, 0.0), cell.after.log10_p)
    ranks = ("that ranks alone allow", f"p={1 / (max(track.nulls for track in board.shown) + 1):.2g}")
    return [*((grade, wording.p_value(found[grade])) for grade in wording.GRADES if grade in found), ranks]


def reasons(board: Board) -> str:
    """Why squares have no outcome, or one that needs words; equal reasons share a line.

    The reasons of claims stand in their own table, those of undecided squares in the matrix.
    """
    squares: dict[tuple[str, str, str], dict[str, list[str]]] = {}
    for cell in board.cells:
        if cell.verdict.reason and cell.verdict.word not in ("forged", "rejected", "undecided"):
            reason = _in_general(cell.verdict.reason, cell.scheme, cell.attack)
            said = cell.verdict.word, reason, "unmarked, after " if cell.innocent else ""
            squares.setdefault(said, {}).setdefault(cell.attack, []).append(cell.scheme)
    rows = []
    for (word, reason, before), by_attack in squares.items():
        together: dict[str, list[str]] = {}
        for attack, schemes in by_attack.items():
            together.setdefault(_joined(schemes, len(board.schemes)), []).append(escape(attack))
        rows += [[word, escape(reason), before + ", ".join(names), schemes] for schemes, names in together.items()]
    return table(["verdict", "reason", "attacks", "schemes"], rows) if rows else "Every square has an outcome."


def _in_general(reason: str, scheme: str, attack: str) -> str:
    """The reason without the names that its line gives, so that equal reasons meet."""
    for label, instead in ((attack, "the attack"), (scheme, "the scheme")):
        reason = re.sub(rf"(^|; ){re.escape(label)}(?= )", rf"\1{instead}", reason)
    return reason


def _joined(schemes: Sequence[str], all_schemes: int) -> str:
    distinct = list(dict.fromkeys(schemes))
    return "every scheme" if len(distinct) == all_schemes > 1 else ", ".join(escape(one) for one in distinct)
