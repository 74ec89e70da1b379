"""docs/catalogue.md, a section for each scheme and attack: `python -m benchmark.app.catalogue` writes it anew."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from benchmark.app.plugin_facts import AIMS, known, settings, threat_model, values
from benchmark.plugins.parameters import Declaration, write_value
from benchmark.plugins.registry import Registry
from leaderboard.pages.page_model import BREAK, Inline, Section, Span
from leaderboard.pages.writers.markdown import page

CATALOGUE = Path(__file__).parents[2] / "docs" / "catalogue.md"
MADE_BY = "python -m benchmark.app.catalogue"
_ABOUT = (
    "Every scheme and attack of this repository, from its own declaration. ",
    Span(MADE_BY, "code"),
    " writes this page anew; ",
    Span("bench describe NAME", "code"),
    " says the same of any plug-in. What is known is what the published boards found, all settings and seeds of a "
    "plug-in together; chains, controls, innocent models and marks that were not found at first are left out. A star: "
    "training anew from the thief's own images does as well. Thieves and rules are on the boards' own pages.",
)


def catalogue(registry: Registry) -> str:
    """The page: schemes first, then attacks by what the thief is after; plug-ins from elsewhere are left out."""
    groups = [Section("Schemes", parts=_plugins(registry.schemes))]
    for kind, aim in AIMS.items():
        if own := _plugins(tuple(one for one in registry.attacks if one.traits["kind"] == kind)):
            groups.append(Section(f"Attacks: {kind}", f"Such an attack {aim}.", parts=own))
    return page("Catalogue of schemes and attacks", [Section(text=_ABOUT), *groups])


def _plugins(those: tuple[Declaration, ...]) -> list[Section]:
    return [_plugin(one) for one in sorted(those, key=lambda one: one.name) if one.origin == "built-in"]


def _plugin(plugin: Declaration) -> Section:
    """One plug-in: its own words, its facts, its parameters."""
    source = plugin.source.relative_to(CATALOGUE.parents[1]).as_posix()
    facts: list[tuple[str, Inline]] = [(name, said) for name, said in threat_model(plugin) if said]
    facts.append(("paper", plugin.traits["paper"] or "–"))
    facts += [(f'"{name}" runs', said) for name, said in settings(plugin)]
    facts += [(f"found on {board}", said) for board, said in known(plugin)]
    facts.append(("source", Span(source, "link", f"../{source}")))
    rows: list[list[Inline]] = [
        [Span(one.name, "code"), Span(write_value(one.default) or '""', "code"), values(one), one.doc]
        for one in plugin.parameters
    ]
    told = Section(header=["what", "value"], rows=[list(fact) for fact in facts])
    parameters = Section(header=["parameter", "default", "takes", "what it is"], rows=rows)
    return Section(plugin.name, _words(plugin.doc), parts=[*([parameters] if rows else []), told])


def _words(doc: str) -> Inline:
    """A docstring: its paragraphs, with code as code."""
    found: list[str | Span] = []
    for paragraph in re.split(r"\n\s*\n", doc.strip()):
        found += [BREAK] if found else []
        found += _pieces(" ".join(paragraph.split()))
    return tuple(found)


def _pieces(text: str) -> Iterator[str | Span]:
    for index, piece in enumerate(text.split("`")):
        if piece:
            yield Span(piece, "code") if index % 2 else piece


if __name__ == "__main__":
    CATALOGUE.write_text(catalogue(Registry.discover(())))
