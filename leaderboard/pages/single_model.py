"""The opinion on one model under one key as a page of plain sentences, as text and as JSON: `bench verify`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined

from leaderboard.judge.opinion import INADMISSIBLE, Opinion
from leaderboard.judge.verdicts import SEARCH_BITS
from leaderboard.pages import wording
from leaderboard.pages.cell_facts import evidence_facts
from leaderboard.pages.page_model import one_line

WRITTEN = "written answers"  # a form of suspects
_FOUND = {
    "present": "The mark of this key is in the suspect.",
    "absent": "The mark of this key was not found in the suspect.",
    "unclear": "What was seen is too little to say whether the mark of this key is in the suspect.",
    "inadmissible": "The key is no admissible key, so nothing that it shows is evidence.",
    "inconsistent": "The suspect answers the same images otherwise when they come among others: it has no one answer.",
    "unreadable": "The court can't read the suspect.",
}


@dataclass(frozen=True)
class Hearing:
    """What was asked of whom.

    item: what one item of the key is called. access: what the court sees of the suspect. suspect: as its owner named
    it; form: what it is; sha256: of its file, None where it has none. asked: images in all, `own` different ones of
    which are the judge's, of the task `task`; useful: how useful the suspect is on them, in words. card: whether a card
    beside the key commits to it; None where there is no card. commitment: SHA-256 of the key's file. nulls: unmarked
    models that were looked at, of every pool. notes: in words.
    """

    scheme: str
    item: str
    access: Literal["labels", "probabilities", "outputs", "weights", "none"]
    suspect: str
    form: str
    sha256: str | None
    asked: int
    own: int
    task: str
    useful: str
    card: bool | None
    commitment: str
    nulls: int
    notes: tuple[str, ...] = ()


def page(heard: Hearing, found: Opinion, admission: Mapping[str, Any], alpha: float) -> list[tuple[str, list[str]]]:
    """The opinion in plain sentences, as titled lists of paragraphs."""
    why = found.reason if found.unjudged or not found.admissible else found.evidence.reason
    return [
        (f"Verdict: {found.verdict}", [_FOUND[found.verdict] + (f" The reason: {why}." if why else "")]),
        ("What was asked", list(_asked(heard, found))),
        ("What came back", list(_came_back(heard, found))),
        ("How likely that is by chance", list(_by_chance(heard, found, alpha))),
        ("What this does not prove", list(_limits(heard, found, bool(admission["hash_bound"]), alpha))),
    ]  # fmt: skip


def as_html(sections: list[tuple[str, list[str]]], facts: list[tuple[str, str]], version: str) -> str:
    """The page as one HTML file that fetches nothing and runs no script. facts: `describe`, in a table at its end."""
    environment = Environment(
        loader=PackageLoader("leaderboard.pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("verdict.html.j2").render(
        sections=[(one_line(title), [one_line(one) for one in paragraphs]) for title, paragraphs in sections],
        facts=[(one_line(name), one_line(value)) for name, value in facts],
        version=version,
    )


def _items(heard: Hearing, n: int) -> str:
    return f"{n} {heard.item}{'' if n == 1 else 's'}"


def _asked(heard: Hearing, found: Opinion) -> Iterator[str]:
    digest = f", SHA-256 {heard.sha256}" if heard.sha256 else ""
    yield f"The suspect is {heard.suspect} ({heard.form}{digest}). The key is one of {heard.scheme}."
    if heard.access == "weights":
        yield "The court read its weights, and asked its answers to see that it does its task."
        return
    if heard.access == "outputs":
        yield (
            f"It was asked {heard.asked:,} images in shuffled order, {heard.own:,} different ones of the judge's own, "
            f"which show {heard.task} and bear no mark: the mark is read from what it made of them."
        )
        return
    twice = "" if heard.form == WRITTEN else ", some twice"
    yield (
        f"It was asked {heard.asked:,} images in shuffled order{twice}: those of the key's {heard.item}s among "
        f"{heard.own:,} of the judge's own, which show {heard.task} and bear no mark."
    )


def _came_back(heard: Hearing, found: Opinion) -> Iterator[str]:
    seen = found.evidence
    if not found.admissible or found.unjudged or wording.is_unreadable(seen):
        yield "Nothing that counts."
    elif seen.kind == "count":
        yield f"{seen.total:.0f} of {_items(heard, seen.n)} came out as the key says."
    else:
        yield f"Over {_items(heard, seen.n)} the mark scores {seen.total:.3g} on average."
    if found.admissible and not found.unjudged and seen.view is not None:
        others = ", ".join(f"{wording.channel(seen.views[one])} {one}" for one in seen.views)
        yield f"That is the view {seen.view}, of {seen.tries} in which the weights were read ({others})."
    yield f"On the judge's own images: {heard.useful}."
    yield from (f"{note[:1].upper()}{note[1:]}." for note in heard.notes)


def _by_chance(heard: Hearing, found: Opinion, alpha: float) -> Iterator[str]:
    seen = found.evidence
    if not found.admissible or found.unjudged or wording.is_unreadable(seen):
        yield "There is nothing whose chance could be told."
        return
    keys, models = found.basis.keys, found.basis.models
    if seen.log10_p_key is not None:
        odds = _odds(seen.log10_p_key, seen.key_grade, f"{keys} that were drawn anew", keys)
        closed = "" if keys else " This follows from a law in closed form."
        yield f"Of keys that were drawn without knowing the suspect, {odds} would do as well.{closed}"
    if seen.log10_p_null is not None:
        odds = _odds(seen.log10_p_null, seen.null_grade, f"{models} that were looked at", models)
        yield f"Of unmarked models, {odds} would do as well."
    elif heard.nulls:
        yield _none_counts(heard.nulls, seen.pools)
    elif seen.log10_p_key is not None:
        yield "No unmarked model was compared: the law needs none. Give --nulls for that check."
    least = "No result of this key would be enough" if seen.theta is None else (
        f"The mark counts as present from {wording.theta(seen)} on"
    )  # fmt: skip
    beyond = " (extrapolated)" if found.basis.beyond and seen.theta is not None else ""
    each = f" in each of {seen.tries} views" if seen.tries > 1 else ""
    yield f"{least}, where chance does as well at most once in {seen.tries / alpha:,.0f} times{each}{beyond}."


def _none_counts(looked_at: int, pools: Mapping[str, Mapping[str, float | None]]) -> str:
    """Why none of the unmarked models that were looked at could be compared with."""
    useless = int(sum(pool.get("useless") or 0 for pool in pools.values()))
    why = f"{useless} of them do not do their task, so what they answer says nothing" if useless else (
        "the court can't read those of the owner's own net"
    )  # fmt: skip
    mend = ". Name a profile that trains longer (--profile)" if useless else ""
    return f"{looked_at} unmarked models were trained or kept for comparison, and none counts: {why}{mend}."


def _odds(log10_p: float, grade: str | None, those: str, number: int) -> str:
    """A probability as a share that everybody can read: `27 %`, `1 in 3,200`, `1 in 10^59`, `none`.

    Where it rests on a `number` of models or keys, `those` in words, they are named; and where so few can't show one so
    small, it is said to be extrapolated.
    """
    if log10_p == -math.inf:
        odds = "none"
    elif log10_p > -2:
        odds = f"{100 * 10**log10_p:.2g} %"
    else:
        odds = f"1 in {10**-log10_p:,.0f}" if log10_p > -6 else f"1 in 10^{-log10_p:.0f}"
    known = {"ranked": f" (by {those})",
             "extrapolated": f" (extrapolated: {those} cannot show less than 1 in {number + 1})"}  # fmt: skip
    return odds + known.get(grade or "", "")


def _limits(heard: Hearing, found: Opinion, hash_bound: bool, alpha: float) -> Iterator[str]:
    if found.verdict == "present":
        yield (
            "It shows that the suspect knows this key, or was made from a model that does. It does not show who made "
            "it, how or when; nor that the claimant trained the first model that bore this mark."
        )
    else:
        yield "It does not show that the suspect is innocent: marks can be removed, and another key may be found in it."
    said = {
        None: "No card lies beside the key",
        True: "A card beside the key commits to it; whether it was published in time, the page can't show",
        False: "The card beside the key commits to another key",
    }[heard.card]
    late = found.claim_uncommitted
    charge = f", charged with a search among 2^{SEARCH_BITS} keys," if hash_bound else ""
    yield f"{said}. A key may be made to fit after the fact: without commitment in time the claim{charge} is {late}."
    if heard.access not in ("weights", "outputs", "none"):  # of outputs, no image bears a key
        yield "Whoever answers may recognise images of a key by what they show, and answer those otherwise."
    if heard.form == WRITTEN:
        yield "Nobody saw the suspect answer: the answers are what somebody wrote down."
    yield f"The verdict holds at alpha {wording.probability(alpha)}; of many keys or suspects tried, count every one."


def as_json(found: Opinion, admission: Mapping[str, Any], alpha: float, budget: float) -> dict[str, Any]:
    """The opinion as JSON: `verdict` is present, absent, unclear, inadmissible, inconsistent or unreadable; p-values
    are log10.

    Under an inadmissible key there is no evidence: `evidence` is null, as are p-value and grade without commitment.
    `useless`: the suspect does not do its task: it gains less than 3 dB over doing nothing (`gain` in dB, null on
    classification tasks), or names the right class no more often than the most frequent one would be right.
    `sequential`: see `leaderboard.stats.sequential`; null where no law in closed form says what one item proves.
    """
    return {
        "verdict": found.verdict,
        "reason": found.reason if found.unjudged or not found.admissible else found.evidence.reason,
        "alpha": alpha,
        "budget_points": budget,
        "evidence": found.evidence if found.admissible else None,
        "without_commitment": {
            "verdict": found.uncommitted.state if found.admissible else INADMISSIBLE,
            "log10_p": found.uncommitted.log10_p if found.admissible else None,
            "grade": found.uncommitted.grade if found.admissible else None,
            "claim": found.claim_uncommitted,
        },
        "gates": found.gates,
        "admission": admission,
        "claim": found.claim,
        "claim_reason": found.reason,
        "sequential": None if found.sequential is None else asdict(found.sequential),
        "gain": found.gain,
        "useless": found.useless,
    }


def describe(found: Opinion, admission: Mapping[str, Any], alpha: float) -> list[tuple[str, str]]:
    """The opinion in words, as (name, text) pairs."""
    if found.admissible:
        lines = _weighed(found, alpha, bool(admission["hash_bound"]))
    else:
        lines = [
            (
                "verdict",
                f"{INADMISSIBLE}{_because(found.reason)}: whatever the model shows under this key is no evidence",
            ),
            ("key", f"not admissible: {found.reason}"),
            ("claim", f"{INADMISSIBLE}, with and without commitment"),
        ]
    if found.useless:
        lines.append(("useless", f"the model {wording.useless(found.gain)}"))
    return lines


def _weighed(found: Opinion, alpha: float, hash_bound: bool) -> list[tuple[str, str]]:
    charge = f" (charged 2^{SEARCH_BITS} tries)" if hash_bound else ""
    alone = f"{found.uncommitted.state} {wording.graded(found.uncommitted.log10_p, found.uncommitted.grade)}"
    why = found.reason if found.unjudged else found.evidence.reason
    return [
        ("verdict", f"{found.verdict}{_because(why)}, at alpha {wording.probability(alpha)}"),
        *evidence_facts(found.evidence),
        *((f"gate: {name}", wording.gate(gate)) for name, gate in found.gates.items()),
        *_sequential(found, alpha),
        ("key", "admissible"),
        ("claim", f"{found.claim}{_because(found.reason)}, if the key was committed before the model existed"),
        ("", f"{found.claim_uncommitted} without commitment{charge}: {alone}"),
    ]


def _sequential(found: Opinion, alpha: float) -> list[tuple[str, str]]:
    seen = found.sequential
    if seen is None:
        return []
    enough = "not reached" if seen.needed is None else f"enough after {seen.needed}"
    value = f"e-value 10^{seen.log10_e:.1f}" if math.isfinite(seen.log10_e) else "e-value 0"
    of = f"of {seen.items} in the key's order, at alpha {wording.probability(alpha)} ({value})"
    return [("sequential", f"{enough} {of}; no part of the verdict")]


def _because(reason: str | None) -> str:
    return f" ({reason})" if reason else ""
