"""A court examines one suspect under one claim, whatever the suspect runs on.

It is asked and judged by the same path as a cell of the matrix. Unmarked models are looked at beside it where no exact
law says what a fresh key would score, or where somebody wants the check.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console
from torch import Tensor

from benchmark.app.card import CardUtility
from benchmark.app.single_model import utility_of
from benchmark.app.verify.claims import Claim
from benchmark.app.verify.courtroom import Courtroom, Unasked
from benchmark.app.verify.nulls import null_models
from benchmark.app.verify.suspects import OWN, Questioned
from benchmark.data.splits import Data
from benchmark.errors import BenchError, message_of
from benchmark.execution.processes.foreign_models import labels_alone
from benchmark.execution.run import Machine
from benchmark.planning.null_pools import null_jobs
from benchmark.protocol import steps
from benchmark.protocol.answers import Answers
from benchmark.protocol.court import Court, Suspect
from benchmark.protocol.objects import Asked, Service
from leaderboard.judge.decide import Thresholds
from leaderboard.judge.opinion import Examined, Opinion, opinion
from leaderboard.stats.null_tests import OWN_POOL
from leaderboard.stats.scores import score

EXACT = ("binomial", "poisson-binomial")  # laws in closed form


@dataclass(frozen=True)
class Examination:
    """One suspect under one claim, and a court's answer to it.

    asked: images that the suspect was asked in all, some of them twice. own: how many different ones of these are the
    judge's; utility: on them. nulls: how many models each pool of nulls has, empty where none were looked at.
    left_out: nulls that are the suspect itself.
    """

    claim: Claim
    suspect: Questioned
    opinion: Opinion
    utility: CardUtility
    asked: int
    own: int
    nulls: Mapping[str, int]
    left_out: int
    notes: tuple[str, ...]


class LabelSuspect(Suspect):
    """A suspect that answers with labels alone. Raises BenchError where the court asks for more."""

    def ask(self, x: Tensor, keyed: int | None = None) -> Tensor:
        if self.access != "labels":
            raise BenchError(f"the suspect answers with labels alone, and this court reads {self.access}")
        return super().ask(x, keyed)


def examine(
    room: Courtroom, suspect: Questioned, probe: Data, keyed: Tensor | None, nulls: Machine | None, spare: Machine,
    console: Console,
) -> Examination:  # fmt: skip
    """Examine a suspect, of which the court asks the images `probe` of its own.

    keyed: images that bear the key, which it is asked among these from the first: a suspect that remembers could tell
    them, if they came later. None where it was asked before, or the court asks with no key.
    nulls: where unmarked models are kept, trained where they are missing; None: compare with none where an exact law
    makes that needless, else with those of `spare`. Raises BenchError; Unasked where written answers are too few.
    """
    claim, task = room.claim, room.context.task
    try:
        answers = room.answers(suspect.asked, probe, keyed)
    except BenchError:
        raise
    except Exception as error:  # a net from outside may fail in any way at its first image
        hint = ": see --profile" if suspect.form == OWN else ""
        why = message_of(error, 300)
        raise BenchError(f"{suspect.name} does not answer the images of {task.name} ({why}){hint}") from error

    def examined(aligns: bool) -> Examined:
        court = room.court(probe, suspect.answered, aligns=aligns)
        return _examined(room, suspect.service, suspect.asked, answers, court, suspect.name)

    found = examined(aligns=nulls is not None)
    pools: dict[str, list[Examined]] = {OWN_POOL: []}
    left_out, machine = 0, nulls or (spare if _needs_nulls(claim, found) else None)
    if nulls is None and machine is not None and room.delivered is not None:
        found = examined(aligns=True)
    if machine is not None:
        if nulls is None:
            roles, _ = null_jobs(claim.profile, claim.registry)
            console.print(
                f"No exact law says what a fresh key of {claim.scheme.name} would score: the suspect is compared with "
                f"{sum(map(len, roles.values()))} unmarked models, trained once and kept in {machine.results}.",
                markup=False,
            )
        models, left_out = null_models(claim.profile, claim.registry, machine, console, suspect.sha256)
        device = room.context.device
        pools = {
            pool: [
                _examined(room, one, one.running(device), its, room.court(room.test, aligns=True), pool)
                for one, its in members
            ]
            for pool, members in models.items()
        }
    profile = claim.profile
    thresholds = Thresholds(profile.alpha, profile.budget, strict=profile.strict)
    judged = _opinion(found, pools, claim, thresholds)
    unweighed = machine is None and room.delivered is not None and judged.verdict in ("absent", "unclear")
    return Examination(
        claim=claim,
        suspect=suspect,
        opinion=judged,
        utility=utility_of(found.outcomes, task),
        asked=suspect.asked.images,
        own=len(probe),
        nulls={pool: len(members) for pool, members in pools.items()} if machine else {},
        left_out=left_out,
        notes=(
            *claim.notes,
            *suspect.notes,
            *_width(room, answers),
            *(_aligned(examined(aligns=True)) if unweighed else ()),
        ),
    )


def _opinion(
    found: Examined, pools: Mapping[str, Sequence[Examined]], claim: Claim, thresholds: Thresholds
) -> Opinion:  # fmt: skip
    """The opinion, which counts aligned views only where the card was published in time.

    Without that the claimant may have chosen the net that weights are aligned to after he saw the suspect.
    """
    whole = opinion(found, pools, claim.admission, thresholds)
    if not found.seen.get("views"):
        return whole
    as_they_are = {pool: [_unaligned(one) for one in members] for pool, members in pools.items()}
    late = opinion(_unaligned(found), as_they_are, claim.admission, thresholds)
    return replace(whole, uncommitted=late.uncommitted, claim_uncommitted=late.claim_uncommitted)


def _unaligned(one: Examined) -> Examined:
    return replace(one, seen={**one.seen, "views": []})


def _aligned(found: Examined) -> list[str]:
    """What was read after alignment, of which nothing is known without unmarked models that are aligned alike."""
    if not found.seen.get("views"):
        return []
    seen = [score(found.seen, name) for name in found.seen["views"]]
    totals = [f"{one.total} of {one.n}" if one.kind == "count" else f"{one.total:.3g}" for one in seen]
    return [
        f"aligned to the model that the card names, the weights show {' and '.join(totals)}: that has no p-value "
        "without unmarked models that are aligned alike, and so counts only with --nulls FOLDER"
    ]


def _examined(room: Courtroom, service: Service, asked: Asked, answers: Answers, court: Court, name: str) -> Examined:
    claim, outcomes = room.claim, steps.utility(answers.outputs, court.probe)
    if not claim.admission["well_formed"]:  # its fields may be anything: nothing is examined with it
        reason = f"the key is not well formed: {claim.admission['reason']}"
        return Examined({"evidence": "", "channels": {}, "gates": {}, "unreadable": reason}, outcomes)
    kind = LabelSuspect if labels_alone(answers.outputs) else Suspect
    suspect = kind(service, asked, answers, claim.scheme.court, court)
    try:
        return Examined(steps.examine(claim.scheme, claim.key, suspect, court), outcomes)
    except (BenchError, Unasked):
        raise
    except Exception as error:
        raise BenchError(f"{claim.scheme.name} can't examine {name} ({error}): is it the scheme's own?") from error


def _needs_nulls(claim: Claim, found: Examined) -> bool:
    """Whether p-values rest on unmarked models, too."""
    seen: Mapping[str, Any] = found.seen
    settled = not (claim.admission["well_formed"] and claim.admission["bound"])
    if settled or seen.get("unreadable") is not None or seen.get("inconsistent"):
        return False
    channels = [seen["channels"][name] for name in (seen["evidence"], *seen.get("views", ()))]
    return claim.profile.strict or not all((one.get("law") or {}).get("kind") in EXACT for one in channels)


def _width(room: Courtroom, answers: Answers) -> list[str]:
    task = room.context.task
    if answers.outputs.dim() != 2 or labels_alone(answers.outputs) or answers.outputs.shape[1] == task.classes:
        return []
    return [f"the suspect answers with {answers.outputs.shape[1]} classes, and {task.name} has {task.classes}"]
