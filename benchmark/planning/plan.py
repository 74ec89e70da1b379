"""The plan of a run: which cells the matrix has, and the graph of jobs behind them. Pure: nothing is run here.

    host(r) ─► marked(scheme, r) ─► attacked(attack, r) ─► judged
    null(j) ─► attacked(attack, null) ───────────────────► judged with every scheme's key
    null(j) ─► attacked(null_attack, null(j)) ───────────► the second pool of nulls, of image-to-image nets

One host serves every scheme, one marked model every attack, one pool of nulls every verdict; a model that an
attack makes without looking at the marked one (`target = "none"`) is made once for all. A false claim is the
thief's on the innocent model, null(nulls), that every scheme's key is held against, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmark.data.tasks import find_task
from benchmark.identity import job_id, source_hash
from benchmark.planning.job import Job, PluginSource
from benchmark.planning.job_payload import described, public, scheme_source, source, work_key
from benchmark.planning.profile import Profile
from benchmark.plugins.selection import Setting
from benchmark.store.run_description import PlannedCell
from benchmark.vocabulary import RECORD_SCHEMA, JobKind, JobRole, may

ENGINE = (
    Path(__file__).parents[1] / "execution" / "job_runner.py"
)  # what every result depends on, with all that it imports
ROLES: dict[JobKind, JobRole] = {
    "host": "owner", "null": "owner", "marked": "owner", "attacked": "thief", "judged": "court", "drawn": "court",
}  # fmt: skip
SURROGATES = 8  # of clean nulls: the fewest that count as a pool, metrics.md, section 1
TYPICAL_SECONDS: dict[JobKind, float] = {
    "host": 2.5, "null": 2.5, "marked": 8.0, "attacked": 2.0, "judged": 0.1, "drawn": 60.0,
}  # fmt: skip
TYPICAL_MEGABYTES: dict[JobKind, float] = {
    "host": 0.1, "null": 0.1, "marked": 0.3, "attacked": 0.1, "judged": 0.01, "drawn": 0.5,
}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """Cells, and the jobs they need, parents before children. surrogates: how many are nulls, by task."""

    profile: Profile
    schemes: tuple[Setting, ...]
    attacks: tuple[Setting, ...]
    cells: tuple[PlannedCell, ...]
    jobs: tuple[Job, ...]
    surrogates: Mapping[str, int]


def make_plan(
    profile: Profile,
    schemes: Sequence[Setting],
    attacks: Sequence[Setting],
    null_attacks: Mapping[str, Setting],
    history: Mapping[str, float] | None = None,
) -> Plan:
    """Cross `schemes` with `attacks`.

    null_attacks: what makes the second pool of nulls, by task (`benchmark.planning.null_pools`). history: the seconds a
    kind of work took before, by `work_key`.
    """
    jobs: dict[str, Job] = {}
    drafts = {
        track: PlanBuilder(track, history or {}, jobs, null_attacks.get(track.task)) for track in profile.tracks
    }  # fmt: skip
    cells = [
        cell
        for replicate in range(profile.seeds)
        for scheme in schemes
        for thief in profile.thief.axis
        for cell in drafts[profile.track(scheme.tasks) or profile.tracks[0]].row(scheme, attacks, replicate, thief)
    ]
    surrogates = dict.fromkeys(null_attacks, SURROGATES)
    return Plan(profile, tuple(schemes), tuple(attacks), tuple(cells), tuple(jobs.values()), surrogates)


class PlanBuilder:
    """The jobs of one track of a plan in the making, each once: `jobs` by id, parents before children."""

    def __init__(
        self, profile: Profile, history: Mapping[str, float], jobs: dict[str, Job], null_attack: Setting | None
    ) -> None:
        self.profile = profile
        self.history = history
        self.null_attack = null_attack
        self.task = find_task(profile.task)
        self.world = profile.world()
        self.jobs = jobs

    def add(
        self, kind: JobKind, label: str, parents: Sequence[str], sources: Mapping[str, PluginSource], **payload: Any
    ) -> str:
        common = {
            "schema": RECORD_SCHEMA,
            "engine": source_hash(ENGINE),
            "world": self.world,
            "data": self.task.data_hash(),
        }
        payload = {"kind": kind, **common, **payload}
        id = job_id(payload)
        if id not in self.jobs:
            seconds = self.history.get(work_key(payload), TYPICAL_SECONDS[kind])
            unique = tuple(dict.fromkeys(parents))
            role: JobRole = "insider" if kind == "attacked" and payload.get("key") else ROLES[kind]
            self.jobs[id] = Job(
                id, kind, role, label, payload, unique, sources, seconds, self.profile.timeout
            )  # fmt: skip
        return id

    def host(self, replicate: int) -> str:
        return self.add("host", f"host {replicate}", (), {}, replicate=replicate)

    def null(self, index: int) -> str:
        return self.add("null", f"null {index}", (), {}, index=index, replicate=0)

    def clean_nulls(self) -> list[str]:
        return [self.null(index) for index in range(self.profile.nulls)]

    def surrogate_nulls(self, count: int = SURROGATES) -> list[str]:
        """Surrogates of `count` nulls, each by a thief with all of his pool; none where the track has no such pool."""
        if self.null_attack is None:
            return []
        thief = (self.profile.thief.axis[0][0], 1.0)
        # counted down from -1: no seed of a run draws from these streams, so no suspect shares its start with a null
        return [
            self.attacked(self.null_attack, None, self.null(index), -1 - index, thief) for index in range(count)
        ]  # fmt: skip

    @cached_property
    def null_pools(self) -> dict[str, list[str]]:
        """The models of every pool of nulls that counts, by the role of the jobs that judge them."""
        surrogates = self.surrogate_nulls()
        return {"nulls": self.clean_nulls()} | ({"surrogate_nulls": surrogates} if surrogates else {})

    def innocent(self) -> str:
        """The model that thieves attack in place of a marked one: independent of the pool of nulls."""
        return self.null(self.profile.nulls)

    def marked(self, scheme: Setting, replicate: int) -> str:
        host = self.host(replicate) if scheme.stages[0].declaration.traits["host"] else None
        return self.add(
            "marked", f"marked {scheme.label}", [host] if host else [], scheme_source(scheme),
            scheme=described(scheme.stages[0]), replicate=replicate, host=host,
        )  # fmt: skip

    def attacked(
        self, attack: Setting, scheme: Setting | None, target: str | None, replicate: int, thief: tuple[str, float]
    ) -> str:
        """`scheme` None: nothing of it plays a part. Its code is in the payload only if the attack knows it."""
        traits = scheme.stages[0].declaration.traits if scheme else {}
        aware = scheme is not None and attack.aware
        whom = scheme.label if scheme and target and self.jobs[target].kind == "marked" else "unmarked"
        label = f"attacked {whom} × {attack.label}" if target else f"attacked {attack.label}"
        pool, share = thief
        if thief != self.profile.thief.axis[0]:
            label += f" with {100 * share:g} % of the {pool} pool"
        sources = {f"stage{i}": source(stage) for i, stage in enumerate(attack.stages)}
        return self.add(
            "attacked", label, [target] if target else [], sources | (scheme_source(scheme) if scheme else {}),
            stages=[described(stage) for stage in attack.stages],
            scheme=public(scheme.stages[0]) if aware and scheme else None,
            target=target, grants=traits.get("release", "weights") if target else None, replicate=replicate,
            thief={"pool": pool, "share": share},
            **({"key": target} if attack.oracle else {}),
        )  # fmt: skip

    def judged(self, scheme: Setting, key: str, suspects: Sequence[str], replicate: int, marked: str) -> str:
        """`marked` holds the key that was committed before its model was released: the ledger."""
        names = [self.jobs[suspect].label.removeprefix("attacked ") for suspect in suspects]
        attacked = "attacked " if all(self.jobs[suspect].kind == "attacked" for suspect in suspects) else ""
        seen = f"{len(names)} {attacked}nulls" if len(names) > 1 else names[0]
        whose = scheme.label if key == marked else f"the claim of {self.jobs[key].label.removeprefix('attacked ')}"
        label = f"judged {seen}" if key == marked and scheme.label in seen else f"judged {seen} under {whose}"
        # a suspect may be built by the attack's own builder or answer through its filter
        sources = {name: path for suspect in suspects for name, path in self.jobs[suspect].sources.items()}
        return self.add(
            "judged", label, [key, *suspects, marked], sources | scheme_source(scheme),
            scheme=described(scheme.stages[0]), key=key, suspects=list(suspects), replicate=replicate,
            ledger=[marked],
        )  # fmt: skip

    def _judged_nulls(self, scheme: Setting, key: str, replicate: int, marked: str) -> dict[str, str]:
        return {role: self.judged(scheme, key, models, replicate, marked) for role, models in self.null_pools.items()}

    def drawn(self, scheme: Setting, marked: str, suspects: Sequence[str], replicate: int, draws: int) -> str:
        """`draws` fresh keys in place of the one that `marked` holds, spread evenly over `suspects`, each its own."""
        return self.add(
            "drawn", f"drawn {draws} fresh keys of {scheme.label}", [marked, *suspects], scheme_source(scheme),
            scheme=described(scheme.stages[0]), key=marked, suspects=list(suspects), replicate=replicate, draws=draws,
        )  # fmt: skip

    def row(
        self, scheme: Setting, attacks: Sequence[Setting], replicate: int, thief: tuple[str, float]
    ) -> list[PlannedCell]:
        """A scheme's cells and, beside them, those of the innocent model under its key.

        thief: his pool and share. Innocents are judged after the attacks of the matrix's thief only.
        """
        pool, share = thief
        unfit = self._unfit(scheme)
        if unfit:
            return [
                PlannedCell(scheme.label, a.label, replicate, reason=unfit, pool=pool, share=share) for a in attacks
            ]
        marked = self.marked(scheme, replicate)
        common = {
            "host": self.host(replicate),
            "marked": marked,
            "fresh": self.judged(scheme, marked, [marked], replicate, marked),
            **self._judged_nulls(scheme, marked, replicate, marked),
        }
        if self.profile.seeds > 1:  # another owner's mark under this key: what no unmarked model can show
            rival = self.marked(scheme, (replicate + 1) % self.profile.seeds)
            common["rival"] = self.judged(scheme, marked, [rival], replicate, marked)
        for attack in attacks:
            if attack.kind == "control" and ignores_target(attack) and self.task.kind in attack.tasks:
                common["scratch"] = self.attacked(attack, None, None, replicate, thief)
        cells = [replace(self.cell(scheme, a, replicate, common, thief), pool=pool, share=share) for a in attacks]
        if thief != self.profile.thief.axis[0]:
            return cells
        innocents = self.innocents(scheme, attacks, replicate, common, thief)
        return cells + [replace(cell, pool=pool, share=share) for cell in innocents]

    def _unfit(self, scheme: Setting) -> str | None:
        if self.task.kind in scheme.tasks:
            return None
        return f"{scheme.label} marks {' or '.join(scheme.tasks)} nets, and {self.task.name} is {self.task.kind}"

    def _out_of_reach(self, scheme: Setting, attack: Setting) -> str | None:
        """Why `attack` can't be run on what `scheme` releases here."""
        if self.task.kind not in attack.tasks:
            kinds = " or ".join(attack.tasks) or "no"
            return f"{attack.label} attacks {kinds} nets, and {self.task.name} is {self.task.kind}"
        release = scheme.stages[0].declaration.traits["release"]
        if not may(release, attack.access):
            return f"{attack.label} needs {attack.access}; {scheme.label} releases only {release}"
        return None

    def cell(
        self, scheme: Setting, attack: Setting, replicate: int, common: Mapping[str, str], thief: tuple[str, float]
    ) -> PlannedCell:
        traits = scheme.stages[0].declaration.traits
        if missing := attack.requires - set(traits["capabilities"]):
            wanted = " and ".join(sorted(missing))
            reason = f"{attack.label} needs a scheme with {wanted}; {scheme.label} has none"
            return PlannedCell(scheme.label, attack.label, replicate, reason=reason)
        if unreached := self._out_of_reach(scheme, attack):
            return PlannedCell(scheme.label, attack.label, replicate, reason=unreached)
        marked, jobs = common["marked"], dict(common)
        blind, target = ignores_target(attack), marked
        if attack.kind == "false-claim":
            target = jobs["innocent"] = self.innocent()
        whom, what = (None, None) if blind else (scheme, target)
        jobs["attacked"] = self.attacked(attack, whom, what, replicate, thief)
        key = jobs["attacked"] if attack.claim else marked
        jobs["judged"] = self.judged(scheme, key, [jobs["attacked"]], replicate, marked)
        if attack.claim:
            theirs = self._judged_nulls(scheme, key, replicate, marked)
            jobs |= {f"fresh_{role}": common[role] for role in theirs} | theirs
        elif not blind and not attack.aware:
            innocent = self.attacked(attack, None, self.innocent(), replicate, thief)
            jobs["attacked_null"] = self.judged(scheme, marked, [innocent], replicate, marked)
        return PlannedCell(scheme.label, attack.label, replicate, jobs=jobs)

    def innocents(
        self,
        scheme: Setting,
        attacks: Sequence[Setting],
        replicate: int,
        common: Mapping[str, str],
        thief: tuple[str, float],
    ) -> list[PlannedCell]:
        """The control `unmarked`: the innocent model as it is, and after every attack that can touch it."""
        suspects = {"none": self.innocent()}
        reasons: dict[str, str] = {}
        for attack in attacks:
            if attack.kind == "false-claim":
                reasons[attack.label] = f"{attack.label} brings a key of its own, which the row of {scheme.label} tells"
            elif attack.aware:
                reasons[attack.label] = f"{attack.label} speaks of a marked model, and this one is innocent"
            elif unreached := self._out_of_reach(scheme, attack):
                reasons[attack.label] = unreached
            else:
                suspects[attack.label] = self.attacked(
                    attack, None, None if ignores_target(attack) else self.innocent(), replicate, thief
                )
        cells = []
        for label, suspect in suspects.items():
            jobs = {
                "marked": common["marked"],
                "suspect": suspect,
                "judged": self.judged(scheme, common["marked"], [suspect], replicate, common["marked"]),
                **{role: common[role] for role in self.null_pools},
            }
            cells.append(PlannedCell(scheme.label, label, replicate, innocent=True, jobs=jobs))
        cells += [PlannedCell(scheme.label, a, replicate, innocent=True, reason=why) for a, why in reasons.items()]
        return cells


def ignores_target(attack: Setting) -> bool:
    """Whether the thief never looks at the marked model."""
    return bool(attack.stages[0].declaration.traits["target"] == "none")
