"""The threat model of every scheme and attack, in facts: for the table of a page and for the evidence of a square."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmark.plugins.parameters import write_value
from benchmark.store.run_description import DescribedThief
from benchmark.vocabulary import ORACLE_KINDS
from leaderboard.judge.board import Board
from leaderboard.judge.cell import matrix_thief
from leaderboard.pages.page_model import Section

Facts = list[tuple[str, str]]


def scheme_facts(described: Mapping[str, Any]) -> Facts:
    """What a scheme releases, and what the court sees."""
    return [
        ("scheme", described["doc"]),
        ("runs on", described["task"] or "no task of this run"),
        ("the owner releases", described["release"]),
        ("the court sees", described["court"]),
        ("starts from", "a trained net" if described["host"] else "nothing"),
        ("parameters", parameters(described["parameters"])),
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
        ("parameters", "; ".join(filter(None, (parameters(one["parameters"]) for one in described["stages"])))),
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


def parameters(values: Mapping[str, Any]) -> str:
    """As they are written in a label, those of no text as `none`."""
    return ", ".join(f"{name}={write_value(value) if value != '' else 'none'}" for name, value in values.items())


def _knows(described: Mapping[str, Any]) -> list[str]:
    knows = [f"a scheme with {one}" for one in described["requires"]]
    return [*knows, "the scheme's code"] if described["claim"] or described["requires"] else knows


def threat_model(board: Board) -> Section:
    """What thieves have and courts see on every page; what each scheme and attack adds stands on its own."""
    thieves = {track.task: matrix_thief(board.run.profile, track.task) for track in board.shown}
    first, *others = dict.fromkeys(thieves.values())
    pool = "disjoint from the owner's" if first.pool == "disjoint" else "the owner's own training set"
    has = "; ".join(f"on {task} {images(thief)}" for task, thief in thieves.items() if thief in others)
    text = (
        f"The thief of the matrix has {_part(first)} that is {pool}, and holds a tenth of them back to choose the "
        "strength of an attack by; no attack is given a key but those of a kind named oracle."
        f"{f' He has {has}.' if has else ''} Marks are judged with the owner's key, committed before the release. "
        "What a scheme gives out and what an attack needs stands on its own page."
    )
    return Section("Threat model", text)
