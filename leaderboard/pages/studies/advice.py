"""Advice from published records in words, for a terminal, and as JSON: `bench advise`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from leaderboard.analysis.advice import Advice, PublishedAdvice
from leaderboard.judge.published import PREFIX
from leaderboard.pages import wording
from leaderboard.pages.page_model import Section, lines
from leaderboard.pages.sections.threat_model import images
from leaderboard.pages.studies.protection import cells, few, in_situation, table, widest

_STANDING = {
    "equal": "The record's thief has as many labels.",
    "weaker": "The record's thief has fewer labels: what he broke, yours breaks, too, if he has as many images in all; "
    "from what survived him nothing follows.",
    "stronger": "The record's thief has more labels: what survived him survives yours, too, if yours has no more "
    "images in all; from what he broke nothing follows.",
}
HOW_TO_READ = (
    "Survived: cases (a setting at one seed) whose mark withstood every attack that counts here, with a 95 % interval; "
    "two numbers: undecided ones counted as broken, and as survived. Cost: change of utility by marking, median and "
    "range over marks, and its work over training one net. Forged: thieves' claims that a court believed which sees "
    "no dates, with a 95 % interval, and one that asks for a commitment before the release. Accused: verdicts against "
    "innocent models, and the rate that so many independent models leave possible (95 %). Broken by: the cheapest "
    "attack that broke more than half of the marks, with how many; its work, queries and labels, and the change of "
    "utility, medians over these. Where no attack broke half: the one that broke most."
)


def advice_page(found: Advice) -> list[Section]:
    """One section for each record, then what no record speaks of, how to read it, and the commands of its cells."""
    sections = [section for one in found.records for section in _record(one, found)]
    for task in found.silent:
        sections.append(Section(f"On {task}", _silence(task, found)))
    return [*sections, *([Section("How to read it", HOW_TO_READ)] if found.records else [])]


def _silence(task: str, found: Advice) -> str:
    what = "gives out the weights" if found.release == "weights" else "gives out answers alone"
    if task not in found.known:
        return f"No published record speaks of {task}: there are records of {', '.join(found.known)}."
    return f"No published record of {task} has an outcome for an owner who {what}."


def _record(one: PublishedAdvice, found: Advice) -> Iterator[Section]:
    described, seeds = one.board.run.described, int(one.board.run.profile["seeds"])
    said = [
        f"{PREFIX}{one.name}: {seeds} seed{'s' * (seeds != 1)}, watermark-bench {described['version']}, read at "
        f"{wording.read_at(one.track)}.",
        f"Its thief has {images(one.thief)}; yours has {found.labelled:,} with labels. {_STANDING[one.standing]}",
    ]
    if found.budget is not None and one.track.unit != "points":
        said.append(f"A budget in points says nothing of {one.track.task}: it is read at the board's own.")
    said += few(one.situations, one.track, seeds)
    yield Section(f"On {one.track.task} ({one.track.architecture})", lines(said))
    yield from (Section(text=in_situation(situation)) for situation in one.situations)
    yield table(one.board, one.track.unit, widest(one.situations))


def commands(found: Advice) -> list[str]:
    """What opens the cells behind each scheme of each record, those of its cheapest or worst attack: `bench show`."""
    read = [] if found.budget is None else ["--budget", f"{found.budget:g}"]
    return [
        shlex.join(["bench", "show", *words, "--run", f"{PREFIX}{one.name}", *read])
        for one in found.records
        for words in cells(one.board, widest(one.situations))
    ]


def as_json(found: Advice) -> dict[str, Any]:
    """The answer as JSON: of a record its board's name in place of the board."""
    return {
        "release": found.release,
        "labelled": found.labelled,
        "budget": found.budget,
        "records": [
            {
                "board": f"{PREFIX}{one.name}",
                "version": one.board.run.described["version"],
                "seeds": one.board.run.profile["seeds"],
                **{name: getattr(one, name) for name in ("track", "thief", "labelled", "standing", "situations")},
            }
            for one in found.records
        ],
        "silent": found.silent,
        "known": found.known,
    }
