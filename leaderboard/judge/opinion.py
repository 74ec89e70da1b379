"""A court's answer to a claim on one model from outside any run, by the same case file as a cell of the matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from benchmark.store.records import Record
from leaderboard.judge.case_file import COUNTED, read_case
from leaderboard.judge.decide import Thresholds, answer
from leaderboard.judge.evidence import Evidence, Weighing
from leaderboard.judge.results import Observation
from leaderboard.judge.run import Run
from leaderboard.judge.verdicts import Verdict, inadmissible, misread
from leaderboard.stats.fresh_keys import DrawnKeys
from leaderboard.stats.sequential import StoppedAsking, stopped
from leaderboard.stats.tails import ranks_reach
from leaderboard.stats.utility_test import ItemOutcomes, Utility, does_the_job, gain

INADMISSIBLE = "inadmissible"


@dataclass(frozen=True)
class Examined:
    """One model under one key: what the court saw, and how the model does on the test set, item by item."""

    seen: Observation
    outcomes: ItemOutcomes


@dataclass(frozen=True)
class Basis:
    """What p-values without a law in closed form rest on.

    keys: drawn anew, for p_key; models: of the pool that decides p_null. Each is 0 where there are none. beyond:
    whether the threshold lies where so few can't reach by rank, and so is extrapolated.
    """

    keys: int = 0
    models: int = 0
    beyond: bool = False


@dataclass(frozen=True)
class Opinion:
    """A court's answer to a claim on one model, twice: if its key was committed before the model existed, and if not.

    evidence, uncommitted: the latter is charged the keys that a claimant may have tried behind a hash. claim,
    claim_uncommitted: accepted, refused, unclear or no-court; or inadmissible: then p-values mean nothing and are not
    shown. reason: why `claim` is not accepted. unjudged: inconsistent or unreadable, of a model that can't be judged.
    gain: of an image-to-image model over doing nothing, in dB. useless: the model does not do its task. sequential:
    after how many items it could have stopped asking; None where no law in closed form says what one item proves.
    basis: of `evidence`.
    """

    evidence: Evidence
    uncommitted: Evidence
    gates: Mapping[str, Utility]
    claim: str
    claim_uncommitted: str
    reason: str | None
    admissible: bool
    unjudged: Verdict | None = None
    gain: float | None = None
    useless: bool = False
    sequential: StoppedAsking | None = None
    basis: Basis = Basis()

    @property
    def verdict(self) -> str:
        """present, absent or unclear; inadmissible where the key is; inconsistent or unreadable where the model is."""
        if not self.admissible:
            return INADMISSIBLE
        return self.unjudged.word if self.unjudged else self.evidence.state


def opinion(
    suspect: Examined, nulls: Mapping[str, Sequence[Examined]], admission: Mapping[str, Any], court: Thresholds
) -> Opinion:
    """A court's answer to a claim on `suspect`; nulls: unmarked models by pool, examined under the same key.

    admission: of the key, as a judged record keeps it; whether it was committed is left open.
    """
    records, jobs = {"suspect": _record(utility=suspect.outcomes)}, {"suspect": "suspect", "judged": "judged"}
    records["judged"] = _record(["suspect"], observations=[suspect.seen], admission=admission)
    for pool, members in nulls.items():
        models = {f"{pool} {index}": one for index, one in enumerate(members)}
        records |= {name: _record(utility=one.outcomes) for name, one in models.items()}
        records[pool] = _record([*models], observations=[one.seen for one in members])
        jobs[COUNTED[pool]] = pool
    case = read_case(Run({"jobs": {}}, records), jobs, innocent=False, claim=True)
    gates, fault = court.gates(suspect.seen), inadmissible(admission)
    (evidence, claim), (uncommitted, alone) = (answer(case, court, gates, committed=early) for early in (True, False))
    unjudged = misread(suspect.seen)
    words = (INADMISSIBLE,) * 2 if fault else ("unclear",) * 2 if unjudged else (claim.word, alone.word)
    reason = fault or (unjudged.reason if unjudged else claim.reason)
    benefit, useless = gain(suspect.outcomes), not does_the_job(suspect.outcomes)
    early = None if fault or unjudged else _sequential(suspect.seen, court.alpha)
    basis = Basis() if case.after is None else _basis(case.after, evidence, court)
    return Opinion(evidence, uncommitted, gates, *words, reason, not fault, unjudged, benefit, useless, early, basis)


def _basis(weighing: Weighing, evidence: Evidence, court: Thresholds) -> Basis:
    view = next((one for one in weighing.views if evidence.view in (None, one.channel)), None)
    if view is None:  # it can't be read
        return Basis()
    alpha, test = court.alpha / evidence.tries, replace(view.test, strict=court.strict)
    pool = test.deciding_pool(evidence.total, alpha)
    keys, models = test.key.drawn if isinstance(test.key, DrawnKeys) else 0, 0 if pool is None else len(pool.totals)
    scarce = any(number and not ranks_reach(number, alpha) for number in (keys, models))
    return Basis(keys, models, beyond=scarce and not test.rests_on_key)


def _sequential(seen: Observation, alpha: float) -> StoppedAsking | None:
    if seen.get("unreadable") is not None:
        return None
    channel = seen["channels"][seen["evidence"]]
    law = channel.get("law") or {}
    if law.get("kind") != "binomial" or "hits" not in channel:
        return None
    return stopped([one == "1" for one in channel["hits"]], law["p"], alpha)


def _record(suspects: Sequence[str] = (), **result: Any) -> Record:
    """A record as far as a case file reads it."""
    return cast(Record, {"status": "ok", "job": {"suspects": suspects}, "result": result})
