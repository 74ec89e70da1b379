"""What the published boards found of a plug-in, read from their matrix.csv: light enough for `bench describe`."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PUBLISHED_BOARDS = Path(__file__).parents[1] / "published"
NO_OUTCOME = ("not-applicable", "embed-failed", "crashed", "timeout", "oom", "not-run")
_Names = tuple[str, str]  # a role and a name


@dataclass(frozen=True)
class KnownResult:
    """A plug-in on one published board, all its settings and seeds together; innocents and failed marks left out.

    verdicts: how many cells have which word, by kind of attack, with a star where training anew does
    as well; against: by word, how many cells of which scheme (of an attack) or attack (of a scheme) have it.
    """

    board: str
    verdicts: Mapping[str, Counter[str]]
    against: Mapping[str, Counter[str]]


def known_results(role: str, name: str) -> list[KnownResult]:
    """What each published board found of a scheme or an attack, alone and not in a chain; empty where none ran it."""
    return [board[role, name] for board in map(_board, _matrices()) if (role, name) in board]


def _matrices() -> Sequence[Path]:
    return sorted(PUBLISHED_BOARDS.glob("*/matrix.csv"))


@cache
def _board(matrix: Path) -> Mapping[_Names, KnownResult]:
    """Every plug-in of a board."""
    verdicts: dict[_Names, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    against: dict[_Names, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    with matrix.open(newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            if line["innocent"] == "False" and line["verdict"] not in NO_OUTCOME:
                for own, other in _sides(line["scheme"], line["attack"]):
                    if own[0] == "scheme" and line["kind"] == "control":
                        continue  # of another net than the scheme's, or of an untouched one
                    word = line["verdict"] + "*" * ("no-better-than-scratch" in line["flags"])
                    verdicts[own][line["kind"]][word] += 1
                    against[own][word][other] += 1
    return {own: KnownResult(matrix.parent.name, verdicts[own], against[own]) for own in verdicts}


def _sides(scheme: str, attack: str) -> Iterator[tuple[_Names, str]]:
    """A cell as its scheme sees it, and as its attack does where that is no chain."""
    first, second = scheme.partition("(")[0], attack.partition("(")[0]
    chain = ")+" in attack or "+" in second
    yield ("scheme", first), attack if chain else second
    if not chain:
        yield ("attack", second), first
