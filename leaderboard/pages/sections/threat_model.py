"""The threat model of every scheme and attack, in facts: for the table of a page and for the evidence of a square."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmark.plugins.parameters import write_value
from benchmark.store.run_description import DescribedThief
from benchmark.vocabulary import ORACLE_KINDS
from leaderboard.judge.board import Board
from leaderboard.judge.cell import matrix_thief
from leaderboard.pages.page_model import Inline, Section, lines, link, strong

Facts = list[tuple[str, str]]


def scheme_facts(described: Mapping[str, Any]) -> Facts:
    """What a scheme releases, and what the court sees."""
    return [
        ("scheme", described["doc"]),
        ("runs on", described["task"] or "no task of this run"),
        ("leaves the house", described["release"]),
        ("the court sees", described["court"]),
        ("starts from", "a trained net" if described["host"] else "nothing"),
        ("parameters", _parameters(described["parameters"])),
        ("source", described["paper"]),
        ("expected, and written down before any run", described.get("expected_failure") or ""),
        ("forgery expected, and written down before any run", described.get("expected_forgery") or ""),
    ]


def attack_facts(board: Board, described: Mapping[str, Any]) -> Facts:
    """What a thief needs, knows and has on each task that the attack serves."""
    served = [one for one in board.tracks if one.kind in described["tasks"]] or board.tracks
    has = " or ".join(dict.fromkeys(images(matrix_thief(board.run.profile, one.task)) for one in served))
    told = "and the owner's key" if described["kind"] in ORACLE_KINDS else "never a key"
    return [
        ("attack", described["doc"]),
        ("kind, family", ", ".join(dict.fromkeys((described["kind"], described["family"])))),
        ("the thief needs", "his own data only" if described["target"] == "none" else described["access"]),
        ("the thief knows", ", ".join(_knows(described))),
        ("the thief has", f"{has}; {told}"),
        ("parameters", "; ".join(filter(None, (_parameters(one["parameters"]) for one in described["stages"])))),
        ("source", described["paper"]),
    ]


def images(thief: DescribedThief) -> str:
    """What images a thief has, such as `30 labelled and 370 unlabelled images of the disjoint pool`."""
    if thief.share is not None:
        return f"{100 * thief.share:g} % of the {thief.pool} pool of images"
    return f"{thief.labelled:,} labelled and {thief.unlabelled:,} unlabelled images of the {thief.pool} pool"


def _part(thief: DescribedThief) -> str:
    """How much of a pool he has."""
    if thief.share is not None:
        return f"{100 * thief.share:g} % of a pool of images"
    return f"{thief.labelled:,} labelled and {thief.unlabelled:,} unlabelled images of a pool"


def _parameters(values: Mapping[str, Any]) -> str:
    """As they are written in a label, those of no text as `none`."""
    return ", ".join(f"{name}={write_value(value) if value != '' else 'none'}" for name, value in values.items())


def _knows(described: Mapping[str, Any]) -> list[str]:
    knows = [f"a scheme with {one}" for one in described["requires"]]
    return [*knows, "the scheme's code"] if described["claim"] or described["requires"] else knows


def threat_model(board: Board) -> Section:
    """Every scheme and every attack, those of one kind with their settings together."""
    shown = ("scheme", "leaves the house", "the court sees", "starts from", "parameters", "source")
    schemes: list[list[Inline]] = []
    for row in board.schemes:
        facts = dict(scheme_facts(row.described))
        values = (link(facts[name]) if name == "source" else facts[name] or "–" for name in shown)
        schemes.append([row.label, *values])
    expected = [
        f"Expected before any run: {row.label}, {reason}."
        for row in board.schemes
        for reason in (row.described.get("expected_failure"), row.described.get("expected_forgery"))
        if reason
    ]
    thieves = {track.task: matrix_thief(board.run.profile, track.task) for track in board.shown}
    first, *others = dict.fromkeys(thieves.values())
    pool = "disjoint from the owner's" if first.pool == "disjoint" else "the owner's own training set"
    has = "; ".join(f"on {task} {images(thief)}" for task, thief in thieves.items() if thief in others)
    text = (
        f"The thief of the matrix has {_part(first)} that is {pool}, and holds a tenth of them back to choose the "
        "strength of an attack by; no attack outside the key-oracle boards is given a key."
        f"{f' He has {has}.' if has else ''} Marks are judged with the owner's key, committed before the release."
    )
    header = ["scheme", "what it is", *shown[1:]]
    return Section(
        "Threat model",
        text,
        parts=[
            Section(header=header, rows=schemes),
            Section(text=lines(expected) if expected else ""),
            _attacks(board),
        ],
    )


def _attacks(board: Board) -> Section:
    groups: dict[tuple[str, ...], list[Inline]] = {}
    for row in board.attacks:
        facts = dict(attack_facts(board, row.described))
        knows = [facts["the thief knows"]] if facts["the thief knows"] else []
        if row.kind in ORACLE_KINDS:
            knows.append("the owner's key")
        what = facts["attack"], facts["kind, family"], ", ".join([facts["the thief needs"], *knows]), facts["source"]
        groups.setdefault(what, []).append((strong(row.label), f": {facts['parameters'] or 'no parameters'}"))
    rows = [[lines(labels), *what[:-1], link(what[-1])] for what, labels in groups.items()]
    return Section(header=["attack", "what it does", "kind, family", "needs", "source"], rows=rows)
