"""The cells that the Watermark-Robustness-Toolbox (Lukas et al. 2022) has, too, as the published boards found them.

`python -m leaderboard.pages.publish` writes the table into docs/wrt.md, which says how the toolbox runs them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean

from leaderboard.judge.published import PUBLISHED
from leaderboard.pages import wording
from leaderboard.pages.page_model import Inline, Section
from leaderboard.pages.writers.markdown import inserted

_SCHEMES = ("adi", "content", "uchida")  # of the toolbox's eleven
_ATTACKS = {  # how our label begins, by what the toolbox calls it
    "FTAL": "finetune(mode=ftal,lr=0.01,epochs=10",
    "weight pruning": "prune(amount=0.5)",
    "distillation": "distill(architecture=house",
}


def ours() -> Section:
    """A row for each scheme, attack and published board that ran it; one that says so where none did."""
    boards, rows = sorted(PUBLISHED.glob("*/matrix.csv")), list[Sequence[Inline]]()
    for scheme in _SCHEMES:
        for theirs, label in _ATTACKS.items():
            found = [row for path in boards for row in _rows(path, scheme, theirs, label)]
            rows += found or [[scheme, theirs, "no published board ran it at this setting", "–", "–", "–", "–"]]
    header = ["scheme", "attack", "board", "setting", "hits", "verdicts", "change of accuracy, points"]
    return Section(header=header, rows=rows, align="llllrlr")


def _rows(path: Path, scheme: str, theirs: str, label: str) -> Iterator[Sequence[Inline]]:
    """What one board found under this attack, at the scheme's first setting there, its seeds together."""
    with path.open(newline="", encoding="utf-8") as file:
        cells = [
            line
            for line in csv.DictReader(file)
            if line["innocent"] == "False"
            and line["kind"] != "auto"
            and line["scheme"].partition("(")[0] == scheme
            and line["attack"].startswith(label)
            and "+" not in line["attack"]
        ]
    cells = [one for one in cells if (one["scheme"], one["attack"]) == (cells[0]["scheme"], cells[0]["attack"])]
    judged = [one for one in cells if one["total"]]
    if judged:
        totals = sorted(float(one["total"]) for one in judged)
        hits = "–".join(dict.fromkeys(f"{totals[end]:.0f}" for end in (0, -1)))
        words = wording.counted((one["verdict"] for one in cells), len(cells))
        changes = [float(one["utility_change"]) for one in judged if one["utility_change"]]
        yield [scheme, theirs, path.parent.name, cells[0]["attack"], f"{hits}/{judged[0]['n']}", ", ".join(words),
               f"{fmean(changes):+.1f}" if changes else "–"]  # fmt: skip


def written(text: str, table: str) -> str:
    """`text`, the page, with the table between its two marks. Raises ValueError where one is missing."""
    return inserted(text, "ours", table)
