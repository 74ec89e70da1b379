"""All that a board knows of one family of schemes: its settings, its cells attack by attack, and what embedding did."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from benchmark.vocabulary import CLAIM_KINDS, ORACLE_KINDS
from leaderboard.analysis.meetings import ensemble
from leaderboard.analysis.sweeps import choices
from leaderboard.judge.board import Board
from leaderboard.judge.summaries import AttackRow
from leaderboard.pages import wording
from leaderboard.pages.page_model import Inline, Section, Span, filled, lines, link
from leaderboard.pages.sections import auto, costs, innocents, matrix, over_seeds, results, scores
from leaderboard.pages.sections.by_plugin.settings import settings
from leaderboard.pages.sections.links import Links
from leaderboard.pages.sections.reasons import in_general
from leaderboard.pages.sections.threat_model import scheme_facts

_FACTS = ("runs on", "the owner releases", "the court sees", "starts from", "source")


_ABOUT_AUTO: Inline = (
    "In how many seeds the mark survived every attack in auto, a fixed set of which one that breaks it is enough. Up "
    "to: the same for thieves who pay at most this share of the work of training one net. Member fixed: for a thief "
    "who must choose one attack without seeing this seed. The last columns say which was the cheapest attack that "
    "broke it in each seed, and the medians of its queries, its labels and its work. More in ",
    Span("auto.md", "link", "auto.md"),
    ".",
)


def scheme_sections(board: Board, family: str) -> list[Section]:
    """The sections of a family's page, given the name of its plug-in."""
    own = board.only(schemes=[row.label for row in board.schemes if row.described["name"] == family])
    auto_rows = [replace(auto.settings(own), title="Survival under auto", text=_ABOUT_AUTO)] if ensemble(board) else []
    counts = replace(results.ranked_schemes(own), title="Counts by kind of attack", text=results.ABOUT_COUNTS)
    return [
        *_about(board, own),
        *auto_rows,
        counts,
        scores.cost_to_break(own),
        innocents.false_alarms(own),
        *_every_attack(board, own),
        costs.fidelity(own),
    ]


def _about(board: Board, own: Board) -> Iterator[Section]:
    first = dict(scheme_facts(own.schemes[0].described))
    facts: list[list[Inline]] = [
        [name, link(first[name]) if name == "source" else first[name] or "–"] for name in _FACTS
    ]
    yield Section(text=first["scheme"], header=["what", "value"], rows=facts)
    links = Links(board)
    found = settings(
        (links.setting(row.label), links.names.schemes[row.label], row.label, [row.described["parameters"]])
        for row in own.schemes
    )
    expected = [
        f"Expected before any run: {links.names.schemes[row.label]}, {reason}."
        for row in own.schemes
        for reason in (row.described.get("expected_failure"), row.described.get("expected_forgery"))
        if reason
    ]
    yield replace(found, text=lines(filter(None, [found.text, *expected])) if found.text or expected else "")


def _every_attack(board: Board, own: Board) -> Iterator[Section]:
    """One table for each kind of attack, on several tasks one for each, and why attacks can't be run."""
    links, chosen = Links(board), choices(board)
    for number, kind in enumerate(board.kinds):
        rows = [row for row in board.attacks if row.kind == kind]
        tables = [table for part in own.parts if (table := _table(part, links, rows, chosen)).rows]
        seen = {row.label for row in rows for one in own.schemes if matrix.is_reached(own.at(one.label, row.label))}
        about = [] if number else [over_seeds.about(board)]
        about += [wording.ABOUT_ORACLES] if kind in ORACLE_KINDS else []
        parts = [*tables, *_not_run(own, links, rows, seen)]
        yield Section(kind.capitalize(), " ".join(about), parts=parts)


def _table(part: Board, links: Links, rows: Sequence[AttackRow], chosen: Collection[tuple[str, str]]) -> Section:
    """The cells under the attacks of one kind: a row for each setting of the scheme that they can be run on."""
    claims = any(row.kind in CLAIM_KINDS for row in rows)
    found: list[list[Inline]] = []
    channels: list[Inline] = []
    for row in rows:
        name: Inline = (links.attacked(row.label), links.attack(row.label))
        for scheme in part.schemes:
            if matrix.is_reached(cells := part.at(scheme.label, row.label)):
                is_choice = (scheme.label, row.label) in chosen
                seen = over_seeds.claim_row(cells) if claims else over_seeds.mark_row(part, cells, chosen=is_choice)
                found.append([name, links.names.schemes[scheme.label], *seen])
                channels.append(over_seeds.channels(cells))
                name = ""
    header = ["attack", "setting", *over_seeds.header(part, claims)]
    if set(channels) <= {"–"}:
        return filled(Section(header=header, rows=found))
    beside = [[*one, more] for one, more in zip(found, channels, strict=True)]
    return filled(Section(header=[*header, "other channels"], rows=beside))


def _not_run(own: Board, links: Links, rows: Sequence[AttackRow], seen: Collection[str]) -> Iterator[Section]:
    """Why attacks can't be run on some of the settings, or on any of them. seen: those that have cells above."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for scheme in own.schemes:
            cells = own.at(scheme.label, row.label)
            if cells and not matrix.is_reached(cells):
                why = in_general(cells[0].verdict.reason or "", scheme.label, row.label)
                reasons.setdefault((row.label, why), []).append(scheme.label)
    listed: list[list[Inline]] = []
    marked = set(seen)
    for (label, why), schemes in reasons.items():
        mark = [] if label in marked else [links.attacked(label)]
        marked.add(label)
        every = len(schemes) == len(own.schemes)
        on = "every setting" if every else ", ".join(links.names.schemes[one] for one in schemes)
        listed.append([(*mark, links.attack(label)), on, why])
    if listed:
        yield Section("Can't be run", header=["attack", "on", "why"], rows=listed)
