"""The pools of nulls of a track: clean ones; for nets that map images, surrogates of them; for an owner with weights of
his own, nets from scratch.

Nets that map images are stolen by surrogates, and a mark in images has no law of a fresh key: p_null alone accuses. So
it is asked of surrogates of unmarked models, too, and the larger p counts (docs/decisions.md, Evidence).
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.data.tasks import find_task
from benchmark.planning.clocks.estimates import Estimates
from benchmark.planning.job import Job
from benchmark.planning.plan_builder import PlanBuilder
from benchmark.planning.profile import Profile
from benchmark.plugins.registry import Registry
from benchmark.plugins.selection import Setting, select_attacks

NULL_ATTACKS = {"image-to-image": "surrogate"}  # by kind of task; the others have clean nulls alone


def null_attack(profile: Profile, registry: Registry) -> Setting | None:
    """What makes the surrogates of one track; None where its kind of task has none. Raises BenchError."""
    text = NULL_ATTACKS.get(find_task(profile.task).kind)
    return None if text is None else select_attacks(text, registry)[0]


def null_attacks(profile: Profile, schemes: Sequence[Setting], registry: Registry) -> dict[str, Setting]:
    """The same by task, for the tracks on which `schemes` are run."""
    tracks = [track for scheme in schemes if (track := profile.track(scheme.tasks)) is not None]
    return {track.task: attack for track in tracks if (attack := null_attack(track, registry)) is not None}


def null_jobs(
    profile: Profile, registry: Registry, estimates: Estimates | None = None
) -> tuple[dict[str, list[str]], list[Job]]:
    """The pools of one track, the same as those of a run: job ids by role, and the jobs, parents before children."""
    builder = PlanBuilder(profile, estimates, {}, null_attack(profile, registry))
    return builder.null_pools, list(builder.jobs.values())
