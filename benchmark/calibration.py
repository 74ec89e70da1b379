"""The plan of a calibration: every scheme's key, and fresh keys, on pools of models that never saw a mark.

The jobs are those of a run, so a calibration and a run of equal training share their nulls, hosts and marked models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmark.plan import Draft, Plan
from benchmark.profile import Profile
from benchmark.selection import Setting

DRAWS = 2000  # fresh keys per scheme: metrics.md, section 5
OTHERS = 16  # models in each pool that is not made of the clean nulls
LEAST_FOR_ROC = 100
ARCHITECTURES = ("convnet", "resnet8")


def calibration_plan(
    profile: Profile,
    schemes: Sequence[Setting],
    attacks: Sequence[Setting],
    scratch: Setting,
    neighbour: Setting,
    draws: int = DRAWS,
    history: Mapping[str, float] | None = None,
) -> tuple[Plan, list[dict[str, Any]]]:
    """The jobs, and which of them stand for what: one entry per scheme, as run.json's `calibration`.

    attacks: each clean null meets one of them, in turn. scratch: trains on the thief's split, so its models are the
    pool of disjoint data. neighbour: fine-tunes the owner's own host with other people's data.
    """
    draft = Draft(profile, history or {})
    thief = profile.thief.axis[0]
    clean = draft.clean_nulls()
    other = next(name for name in ARCHITECTURES if name != profile.architecture)
    host = draft.host(0)
    pools = {
        "clean": clean,
        "other architecture": [_other_architecture(draft, index, other) for index in range(OTHERS)],
        "disjoint data": [draft.attacked(scratch, None, None, number, thief) for number in range(OTHERS)],
        "near innocents": [
            host, *(draft.attacked(neighbour, None, host, number, thief) for number in range(1, OTHERS))
        ],
        "attacked": [
            draft.attacked(attacks[index % len(attacks)], None, null, index, thief) for index, null in enumerate(clean)
        ],
    }  # fmt: skip
    described = []
    for scheme in schemes:
        marked = draft.marked(scheme, 0)
        entry: dict[str, Any] = {
            "scheme": scheme.label,
            "marked": marked,
            "fresh": draft.judged(scheme, marked, [marked], 0, marked),
            "drawn": draft.drawn(scheme, marked, clean, 0, draws),
            "pools": {name: draft.judged(scheme, marked, models, 0, marked) for name, models in pools.items()},
            "attacked_marked": None,
        }
        if len(clean) >= LEAST_FOR_ROC:
            stolen = [
                draft.attacked(attacks[number % len(attacks)], scheme, marked, number, thief)
                for number in range(OTHERS)
            ]
            entry["attacked_marked"] = draft.judged(scheme, marked, stolen, 0, marked)
        described.append(entry)
    return Plan(profile, tuple(schemes), tuple(attacks), (), tuple(draft.jobs.values())), described


def _other_architecture(draft: Draft, index: int, architecture: str) -> str:
    """A null of another architecture, trained like the others."""
    world = draft.world | {"architecture": architecture}
    return draft.add("null", f"null {index} {architecture}", (), {}, index=index, replicate=0, world=world)
