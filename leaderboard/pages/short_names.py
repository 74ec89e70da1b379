"""Short names of a board's schemes and attacks, and the slugs that its pages and anchors are called by.

`passport(version=v2,recipe=signed)` is written `passport v2 signed`. legend.md gives the label behind each name.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

from benchmark.plugins.parameters import write_value
from leaderboard.judge.board import Board

_NO_LETTERS = re.compile(r"[^a-z0-9]+")
_LONGEST = 60  # of a slug's letters, before the number that makes it unique


@dataclass(frozen=True)
class Names:
    """What a board's schemes and attacks are called on its pages. Of several tracks, ask with the whole board.

    schemes, attacks: short names by label, in the board's order, each unique. attack_slugs: of the settings of attacks,
    by label: the anchors of a scheme's page. family_pages, attack_pages: the slugs of pages, by the name of a family of
    schemes, and by what an attack is a setting of, such as `prune` or the chain `prune+finetune`. Slugs are lower case,
    of [a-z0-9-], and unique among those of their mapping.
    """

    schemes: Mapping[str, str]
    attacks: Mapping[str, str]
    attack_slugs: Mapping[str, str]
    family_pages: Mapping[str, str]
    attack_pages: Mapping[str, str]
    families: Mapping[str, str]
    plugins: Mapping[str, str]

    def scheme_page(self, scheme: str, attack: str = "") -> str:
        """The address, from the board's folder, of a scheme's page, or there of its cells under an attack.

        scheme: the label of a setting, or the name of a family. attack: the label of a setting.
        """
        page = f"schemes/{self.family_pages[self.families.get(scheme, scheme)]}.md"
        return f"{page}#{self.attack_slugs[attack]}" if attack else page

    def attack_page(self, attack: str) -> str:
        """The address of an attack's page, given the label of a setting."""
        return f"attacks/{self.attack_pages[self.plugins[attack]]}.md"


def names(board: Board) -> Names:
    """The names on a board's pages."""
    return board.once("names", lambda: _names(board))


def _names(board: Board) -> Names:
    families = {row.label: str(row.described["name"]) for row in board.schemes}
    plugins = {row.label: attack_name(row.described) for row in board.attacks}
    attacks = _short({row.label: _stages(row.described["stages"]) for row in board.attacks})
    return Names(
        schemes=_short({row.label: _stages([row.described]) for row in board.schemes}),
        attacks=attacks,
        attack_slugs=_slugs(attacks),
        family_pages=slugs(families.values()),
        attack_pages=slugs(plugins.values()),
        families=families,
        plugins=plugins,
    )


def attack_name(described: Mapping[str, Any]) -> str:
    """What an attack is a setting of: its plug-in's name, or those of a chain's stages joined by plus signs."""
    return "+".join(str(stage["name"]) for stage in described["stages"])


def slugs(named: Iterable[str]) -> dict[str, str]:
    """A slug for each of these names, such as the kinds of attack, by name."""
    return _slugs({name: name for name in dict.fromkeys(named)})


Stages = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]  # (name, its parameters as they are written)


def _stages(stages: Sequence[Mapping[str, Any]]) -> Stages:
    """Names and parameters as they are written."""
    return tuple(
        (str(one["name"]), tuple((name, _word(value)) for name, value in one["parameters"].items())) for one in stages
    )


def _word(value: Any) -> str:
    return "none" if value == "" else write_value(value)


def _short(of: Mapping[str, Stages]) -> dict[str, str]:
    """By label; the label itself where a short name would be another's, too."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for label, stages in of.items():
        groups.setdefault(tuple(name for name, _ in stages), []).append(label)
    short = {label: name for group in groups.values() for label, name in _within(group, of).items()}
    taken = Counter([*short.values(), *(label for label in of if short[label] != label)])
    return {label: label if taken[short[label]] > 1 else short[label] for label in of}


def _within(group: Sequence[str], of: Mapping[str, Stages]) -> dict[str, str]:
    """Short names of the settings of one plug-in or chain.

    Of the parameters in which they differ, those are named that tell them apart: the first of these always, the others
    where they are not as in the first setting, which has no others in its name.
    """
    values = {label: {(at, name): value for at, (_, those) in enumerate(of[label]) for name, value in those}
              for label in group}  # fmt: skip
    telling = _telling(list(values.values()))
    base = values[group[0]]
    found = {}
    for label in group:
        shown = [one for one in telling if one == telling[0] or values[label].get(one) != base.get(one)]
        parts = [
            " ".join([stage, *(_said(name, values[label][at, name]) for (at, name) in shown
                               if at == place and (at, name) in values[label])])
            for place, (stage, _) in enumerate(of[label])
        ]  # fmt: skip
        found[label] = " + ".join(parts)
    return found


def _telling(settings: Sequence[Mapping[tuple[int, str], str]]) -> list[tuple[int, str]]:
    """The first parameters, in their order, that together tell all settings apart as far as they differ.

    One that separates no two settings which those before leave together is left out.
    """
    found: list[tuple[int, str]] = []
    apart = 1
    for one in dict.fromkeys(key for setting in settings for key in setting):
        tried = len({tuple(setting.get(key) for key in (*found, one)) for setting in settings})
        if tried > apart:
            found, apart = [*found, one], tried
    return found


def _said(name: str, value: str) -> str:
    """A parameter as one word where it explains itself: `signed`, `v2`, but `amount=0.3`."""
    if value in ("true", "false"):
        return name if value == "true" else f"not {name}"
    return value if value[:1].isalpha() and value != "none" else f"{name}={value}"


def _slugs(named: Mapping[str, str]) -> dict[str, str]:
    """A slug for each of these names; equal ones are numbered from the second on."""
    found: dict[str, str] = {}
    for key, name in named.items():
        plain = _slug(name)
        numbered = (f"{plain}-{number}" for number in count(2))
        found[key] = next(one for one in chain([plain], numbered) if one not in found.values())
    return found


def _slug(name: str) -> str:
    """`Prune Amount=0.3` is prune-amount-0-3. Accents are dropped; what has no letters is called unnamed."""
    ascii_text = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return _NO_LETTERS.sub("-", ascii_text).strip("-")[:_LONGEST].strip("-") or "unnamed"
