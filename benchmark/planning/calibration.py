"""The plan of a calibration: every scheme's key, and fresh keys, on pools of models that never saw a mark.

The jobs are those of a run, so a calibration and a run of equal training share their nulls, hosts and marked models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

from benchmark.errors import BenchError
from benchmark.planning.clocks.estimates import Estimates
from benchmark.planning.job import Job
from benchmark.planning.plan import Plan
from benchmark.planning.plan_builder import SURROGATES, PlanBuilder
from benchmark.planning.profile import Profile
from benchmark.plugins.selection import Setting
from benchmark.vocabulary import SCRATCH_POOL

DRAWS = 2000  # fresh keys per scheme
OTHER_NETS = 16  # models in each pool that is not made of the clean nulls
OTHER_IMAGE_NETS = 8  # the same of image-to-image nets, each of which trains for seconds; the attacked among them
CALIBRATED = SURROGATES + 1  # nulls beside the clean ones: as many as in a run are left without a suspect's own
CROSSED = 9  # nulls that all see the same fresh keys: one accused, and 8, the least that a prediction rests on
CLASSIFICATION = "classification"
POOL_ARCHITECTURES = {CLASSIFICATION: ("convnet", "resnet8"), "image-to-image": ("unet", "residual", "plain")}


def calibration_plan(
    profile: Profile,
    schemes: Sequence[Setting],
    attacks: Sequence[Setting],
    scratch: Setting,
    neighbours: Mapping[str, Setting],
    null_attacks: Mapping[str, Setting],
    draws: int = DRAWS,
    estimates: Estimates | None = None,
    secret: str = "",
) -> tuple[Plan, list[dict[str, Any]]]:
    """The jobs, and which of them stand for what: one entry per scheme, as run.json's `calibration`.

    Every scheme is calibrated on its track. attacks: each clean null meets one of those that serve its track, in turn.
    scratch: trains on all of the thief's split, so its models are the pool of disjoint data. neighbours: by kind of
    task, what other people with other data do to the owner's own host. null_attacks, estimates, secret: as in
    `make_plan`. Raises BenchError where no attack serves a track.
    """
    jobs: dict[str, Job] = {}
    drafts = {
        track: PlanBuilder(track, estimates, jobs, null_attacks.get(track.task), secret) for track in profile.tracks
    }
    pools: dict[Profile, dict[str, list[str]]] = {}
    described = []
    for scheme in schemes:
        track = profile.track(scheme.tasks)
        if track is None:
            raise BenchError(f"profile {profile.name} has no track for {scheme.label}: choose other --schemes")
        here = drafts[track]
        if track not in pools:
            kind = here.task.kind
            if not (serving := [one for one in attacks if kind in one.tasks]):
                wanted = "name one that can, or other --schemes"
                raise BenchError(f"none of the --attacks can be run on {kind} nets: {wanted}")
            pools[track] = _pools(here, serving, scratch, neighbours[kind])
        described.append(_entry(here, scheme, pools[track], draws))
    surrogates = dict.fromkeys(null_attacks, CALIBRATED)
    return Plan(profile, tuple(schemes), tuple(attacks), (), tuple(jobs.values()), surrogates), described


def _pools(
    draft: PlanBuilder, attacks: Sequence[Setting], scratch: Setting, neighbour: Setting
) -> dict[str, list[str]]:
    """The innocent models of a track, by pool."""
    thief, other = draft.profile.thieves[0], draft.well_off
    clean, host = draft.clean_nulls(), draft.host(0)
    small = draft.task.kind != CLASSIFICATION
    others = OTHER_IMAGE_NETS if small else OTHER_NETS
    scratch_nets = {SCRATCH_POOL: found} if (found := draft.scratch_nulls(others)) else {}
    architectures = [name for name in POOL_ARCHITECTURES[draft.task.kind] if name != draft.profile.architecture]
    return {
        "clean": clean,
        **scratch_nets,
        "other architecture": [draft.null(index, name) for index, name in zip(range(others), cycle(architectures))],
        "disjoint data": [draft.attacked(scratch, None, None, number, other) for number in range(others)],
        "near innocents": [
            host, *(draft.attacked(neighbour, None, host, number, other) for number in range(1, others))
        ],
        "attacked": [
            draft.attacked(attack, None, null, index, thief)
            for index, (null, attack) in enumerate(zip(clean[:others] if small else clean, cycle(attacks)))
        ],
    }  # fmt: skip


def _entry(draft: PlanBuilder, scheme: Setting, pools: Mapping[str, Sequence[str]], draws: int) -> dict[str, Any]:
    marked, clean = draft.marked(scheme, 0), pools["clean"]
    surrogates, scratch = draft.surrogate_nulls(CALIBRATED), draft.scratch_nulls(CALIBRATED)
    return {
        "scheme": scheme.label,
        "marked": marked,
        "fresh": draft.judged(scheme, marked, [marked], 0, marked),
        "drawn": draft.drawn(scheme, marked, clean, 0, draws),
        # one job for each null: all of them start the same stream, so they draw the same keys; each accuses all of them
        "crossed": [
            draft.drawn(scheme, marked, [null], 0, -(-draws // CROSSED))
            for null in clean[:CROSSED]
            if counts_redrawn_keys(scheme)
        ],
        "pools": {name: draft.judged(scheme, marked, models, 0, marked) for name, models in pools.items()},
        "surrogate_nulls": draft.judged(scheme, marked, surrogates, 0, marked) if surrogates else None,
        "scratch_nulls": draft.judged(scheme, marked, scratch, 0, marked) if scratch else None,
    }


def counts_redrawn_keys(scheme: Setting) -> bool:
    """Whether the law of a fresh key is a handful of redrawn ones.

    Such a p_key is a prediction from few keys. It accuses nobody by itself, so the same fresh keys are needed on
    other nulls too.
    """
    return bool(scheme.traits["null_law"] == "redrawn")
