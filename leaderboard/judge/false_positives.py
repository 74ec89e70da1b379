"""False alarms: how often a scheme's keys accuse models that never saw them, and marks of other owners."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from leaderboard.judge.case_file import COUNTED, CaseFile, counted_pools, read_case
from leaderboard.judge.cell import Cell
from leaderboard.judge.decide import Thresholds, decide
from leaderboard.judge.evidence import OWN_POOL, Weighing
from leaderboard.judge.nulls import Nulls
from leaderboard.judge.results import null_models, null_observations, nulls_of
from leaderboard.judge.run import Run
from leaderboard.judge.verdicts import Tally
from leaderboard.stats.tails import clopper_pearson_upper


@dataclass(frozen=True)
class FalseAlarms:
    """Accusations of innocents under one scheme's keys.

    tally: the cells of the innocent models, attacked or not. fired, models: independent innocent models that
    were ever accused, and how many there are. null_fired, nulls: each clean null against all the others.
    rival_fired, rivals: models that another owner marked, with the next seed's key: innocent of this key, not unmarked.
    The bounds are one-sided 95 % Clopper-Pearson bounds, over models: draws on one model share it.
    """

    tally: Tally
    fired: int
    models: int
    null_fired: int
    nulls: int
    rival_fired: int
    rivals: int

    @property
    def bound(self) -> float:
        return clopper_pearson_upper(self.fired, self.models)

    @property
    def null_bound(self) -> float:
        return clopper_pearson_upper(self.null_fired, self.nulls)


def false_alarms(run: Run, cells: Sequence[Cell], court: Thresholds) -> FalseAlarms:
    innocents, court = [cell for cell in cells if cell.innocent], replace(court, brief=True)
    models: dict[str, set[str]] = {"not-marked": set(), "false-positive": set()}
    for cell in innocents:
        if cell.verdict.word in models:  # by the untouched null that the suspect was made from
            models[cell.verdict.word].add(list(run.ancestors(cell.jobs["suspect"]))[-1])
    fired = [_accused_by_the_others(run, pools, court) for pools in _null_jobs(run, cells)]
    rivals = list(_rivals(run, cells, court))
    return FalseAlarms(
        tally=Tally.of(cell.verdict for cell in innocents),
        fired=len(models["false-positive"]),
        models=len(set().union(*models.values())),
        null_fired=len({model for one in fired for model, accused in one.items() if accused}),
        nulls=len(set().union(*fired)),
        rival_fired=sum(rivals),
        rivals=len(rivals),
    )


def _rivals(run: Run, cells: Sequence[Cell], court: Thresholds) -> Iterator[bool]:
    """Whether each owner's key accuses the next seed's marked model, where both were made."""
    there = {cell.jobs["rival"]: cell.jobs for cell in cells if not cell.claim and "rival" in cell.jobs}
    for judged, planned in there.items():
        nulls = {role: planned[role] for role in COUNTED.values() if role in planned}
        if all(map(run.result, (judged, *nulls.values()))):
            with suppress(ValueError, KeyError, TypeError):  # observations that don't fit have their reason in cells
                (marked,) = null_models(run, judged)
                jobs = {"judged": judged, "suspect": marked, **nulls}
                case = read_case(run, jobs, innocent=True, claim=False)
                yield decide(case, court).verdict.word == "false-positive"


def _null_jobs(run: Run, cells: Sequence[Cell]) -> list[dict[str, str]]:
    """The jobs that judged the pools of nulls that count under the owner's keys, by pool, for each key."""
    found = [counted_pools(cell.jobs) for cell in cells if not cell.claim]
    by_key = {pools[OWN_POOL]: pools for pools in found if OWN_POOL in pools}
    return [pools for pools in by_key.values() if all(map(run.result, pools.values()))]


def _accused_by_the_others(run: Run, pools: Mapping[str, str], court: Thresholds) -> dict[str, bool]:
    """Whether each clean null would be accused if it were the suspect: all but it and its own surrogate the nulls."""
    accused = {}
    for model, seen in nulls_of(run, pools[OWN_POOL]):
        with suppress(ValueError, KeyError):  # observations that can't be weighed have their reason in every cell
            others = {pool: Nulls(pool, null_observations(run, judged, model)) for pool, judged in pools.items()}
            case = CaseFile(innocent=True, seen=seen, after=Weighing.of(seen, others))
            accused[model] = decide(case, court).verdict.word == "false-positive"
    return accused
