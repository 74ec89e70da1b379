"""The comparison of two runs as plain text and as JSON: `bench compare`."""

from __future__ import annotations

import math
from typing import Any

from benchmark.store.run_description import DescribedThief
from leaderboard.analysis.compare import Change, Comparison, TwoSampleTest, key_of, words
from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell
from leaderboard.judge.results import secrets_of
from leaderboard.pages import wording
from leaderboard.pages.sections.threat_model import images
from leaderboard.stats.tails import FAMILY_LEVEL


def as_json(a: Board, b: Board, found: Comparison) -> dict[str, Any]:
    """The comparison as JSON; p-values as they are, Holm's adjusted ones beside them."""
    changes = {
        "worse": found.worse, "better": found.better, "unjudged": found.unjudged,
        "changed_beyond_chance": [one for one in found.changes if one.beyond_chance],
    }  # fmt: skip
    return {
        "runs": [{"run": board.run.described["run"], "created": board.run.described["created"]} for board in (a, b)],
        "same_secret": secrets_of(a.run) == secrets_of(b.run),
        "alpha": a.alpha,
        "budgets": {track.task: {"budget": track.budget, "unit": track.unit} for track in a.tracks},
        "strict": a.track.strict,
        "level": FAMILY_LEVEL,
        "tests": found.tests,
        "same": found.same,
        "compared": len(found.changes) - found.same,
        **{name: [_change(one) for one in some] for name, some in changes.items()},
        "new": [_named(cell) for cell in found.new],
        "gone": [_named(cell) for cell in found.gone],
    }


def _change(one: Change) -> dict[str, Any]:
    return {
        **_named(one.after), "before": words(one.before), "after": words(one.after), "step": one.step,
        "beyond_chance": one.beyond_chance,
        "total": [cell.after and (cell.after.total, cell.after.n) for cell in (one.before, one.after)],
        "accuracy": [one.before.accuracy, one.after.accuracy],
        "tests": [{"of": t.what, "test": t.name, "p": t.p, "holm": t.adjusted, **_tested(t)} for t in one.tests],
    }  # fmt: skip


def _tested(test: TwoSampleTest) -> dict[str, Any]:
    return {"channel": test.channel, "total": [(one.total, one.n) for one in test.totals]} if test.channel else {}


def _named(cell: Cell) -> dict[str, Any]:
    *key, thief = key_of(cell)
    return dict(zip(("scheme", "attack", "innocent", "replicate"), key, strict=True)) | vars(thief)


def describe(a: Board, b: Board, found: Comparison) -> str:
    """The comparison as plain text."""
    both = len(found.changes)
    lines = [
        *(f"{letter}  {board.run.described['run']}, {board.run.described['created']}" for letter, board in
          (("A", a), ("B", b))),
        *_secrets(a, b),
        f"at alpha {a.alpha:g}, budget {wording.budgets(a.tracks)}{', strictly' if a.track.strict else ''}",
        f"{both} cells in both: {found.same} from the same records, {both - found.same} compared "
        f"({found.tests} tests, Holm at {FAMILY_LEVEL:g})",
    ]  # fmt: skip
    titles = (
        ("worse for the owner", found.worse),
        ("better for the owner", found.better),
        ("changed beyond chance, the verdict as good as before", found.shifted),
        ("without a verdict in one run or both", found.unjudged),
    )
    for title, changes in titles:
        lines += [f"{title}: {len(changes)}", *(f"  {_sentence(change)}" for change in changes)]
    for title, cells in (("new", found.new), ("gone", found.gone)):
        lines += [f"{title}: {len(cells)}", *(f"  {_name(cell)}: {words(cell)}" for cell in cells)]
    return "\n".join(lines)


def _secrets(a: Board, b: Board) -> list[str]:
    if secrets_of(a.run) == secrets_of(b.run):
        return []
    return ["made under different secrets: keys and the court's draws differ; see `bench run --secret`"]


def _name(cell: Cell) -> str:
    """The cell, with the thief's images where he is not the usual one."""
    usual = DescribedThief("disjoint", share=1.0)  # of older runs
    thief = "" if cell.thief == usual else f", {images(cell.thief)}"
    return f"{wording.square_name(cell)}, seed {cell.replicate}{thief}"


def _sentence(change: Change) -> str:
    before, after = change.before, change.after
    found = [f"{words(before)} -> {words(after)}" if change.reworded else words(before)]
    for test in change.tests:
        if test.totals:
            seen = " -> ".join(f"{one.total:.4g}/{one.n}" for one in test.totals)
            viewed = any(cell.after is not None and cell.after.view for cell in (before, after))
            seen += f" in {test.channel}" if viewed else ""
        elif before.accuracy is not None and after.accuracy is not None:
            seen = " -> ".join(wording.score(one, after.unit) for one in (before.accuracy, after.accuracy))
        else:
            seen = test.what
        chance = "beyond chance" if test.beyond_chance else "within chance"
        p = wording.p_value(math.log10(test.p) if test.p > 0 else -math.inf)
        found.append(f"{seen} ({test.name} {p}, {chance})")
    return f"{_name(after)}: {'; '.join(found)}"
