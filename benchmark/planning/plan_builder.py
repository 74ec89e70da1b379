"""The jobs of one track of a plan, each once, with what decides its result in its payload.

    host(r) ─► marked(scheme, r) ─► attacked(attack, r) ─► judged
                               └──► twin(marked): an unmarked net trained as long, of classifiers
    null(j) ─► attacked(attack, null) ───────────────────► judged with every scheme's key
    null(j) ─► attacked(null_attack, null(j)) ───────────► the second pool of nulls, of image-to-image nets

One host serves every scheme, one marked model every attack, one pool of nulls every verdict; a model that an attack
makes without looking at the marked one (`target = "none"`) is made once for all. A false claim is the thief's on the
innocent model, null(nulls), that every scheme's key is held against, too.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cached_property, wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

from benchmark.data.tasks import find_task
from benchmark.digest.code_digest import engine_hash, source_hash
from benchmark.errors import BenchError
from benchmark.identity import content_hash
from benchmark.planning.clocks.estimates import Estimates
from benchmark.planning.job import Job, PluginSource
from benchmark.planning.own_nets import host_source, weights_path
from benchmark.planning.payload import Parts, SharedPart, payload, payload_id
from benchmark.planning.profile import Profile
from benchmark.plugins.selection import Setting, Stage
from benchmark.store.run_description import DescribedThief
from benchmark.vocabulary import RECORD_SCHEMA, JobKind, JobRole

ROLES: dict[JobKind, JobRole] = {
    "host": "owner", "null": "owner", "marked": "owner", "twin": "owner", "attacked": "thief", "judged": "court",
    "drawn": "court",
}  # fmt: skip
SURROGATES = 8  # of clean nulls: the fewest that count as a pool (docs/decisions.md, Evidence)
P = ParamSpec("P")


def added_once(add: Callable[Concatenate[PlanBuilder, P], str]) -> Callable[Concatenate[PlanBuilder, P], str]:
    """A method that adds a job, answered from memory where the same job is asked for again, as it is by many cells."""

    @wraps(add)
    def asked(builder: PlanBuilder, *what: P.args, **named: P.kwargs) -> str:
        question = (add.__name__, *map(_told_apart, what), *named.items())
        if (id := builder.answered.get(question)) is None:
            id = builder.answered[question] = add(builder, *what, **named)
        return id

    return asked


def _told_apart(asked: Any) -> Hashable:
    """By what one argument is known from another: a setting has one label, and no other setting has it."""
    kind = type(asked)
    return asked.label if kind is Setting else tuple(asked) if kind is list else asked


class PlanBuilder:
    """Adds jobs to `jobs`, which several tracks share: by id, parents before children.

    estimates: how long its jobs take; without them every job counts alike. secret: the SHA-256 of the store's, which
    the jobs of owners and courts name; "" in a plan that is read and not run.
    """

    def __init__(
        self, profile: Profile, estimates: Estimates | None, jobs: dict[str, Job], null_attack: Setting | None,
        secret: str = "",
    ) -> None:  # fmt: skip
        self.profile = profile
        self.estimates = estimates
        self.jobs = jobs
        self.null_attack = null_attack
        self.secret = secret
        self.task = find_task(profile.task)
        self.world = profile.world()
        self.answered: dict[tuple[Hashable, ...], str] = {}  # the ids of jobs, by method and arguments
        self._parts: dict[tuple[str, str], SharedPart] = {}
        self._code: dict[tuple[str, str], dict[str, PluginSource]] = {}

    def add(
        self,
        kind: JobKind,
        label: str,
        parents: Sequence[str],
        sources: Mapping[str, PluginSource],
        **own: SharedPart | str | int | list[str] | None,
    ) -> str:
        """The id of the job with this payload, which the profile completes."""
        parts: Parts = {"kind": kind, **self._common, **own}
        id = payload_id(parts)
        if id not in self.jobs:
            whole = payload(parts)
            seconds = self.estimates.of(whole).seconds if self.estimates else 1.0
            unique = tuple(dict.fromkeys(parents))
            role: JobRole = "insider" if kind == "attacked" and whole.get("key") else ROLES[kind]
            weights = weights_path(self.profile.weights) if role == "owner" and "weights" in whole["world"] else ""
            self.jobs[id] = Job(
                id, kind, role, label, whole, unique, {**sources, **self._host_source}, seconds, self.profile.timeout,
                weights=weights,
            )  # fmt: skip
        return id

    @cached_property
    def _common(self) -> dict[str, SharedPart | str | int | list[str] | None]:
        world = self._part("world", "", lambda: self.world, "of this profile")
        data = "" if self.task.missing() else self.task.data_hash()  # no job of a plan without its data can be run
        return {"schema": RECORD_SCHEMA, "engine": engine_hash(), "world": world, "data": data}

    def _part(self, what: str, name: str, find: Callable[[], Any], label: str) -> SharedPart:
        """What the jobs share that `name` names, found once. Raises BenchError where no record can hold it."""
        if (what, name) not in self._parts:
            try:
                self._parts[what, name] = SharedPart.of(find())
            except ValueError as error:
                raise BenchError(
                    f"no record can hold what names the job {label!a} ({error}): choose other values"
                ) from None
        return self._parts[what, name]

    @cached_property
    def _host_source(self) -> dict[str, PluginSource]:
        """Where the code of the house net is, if the user brought it."""
        source = host_source(self.profile.architecture)
        return {} if source is None else {"host": source}

    @added_once
    def host(self, replicate: int) -> str:
        return self.add("host", f"host {replicate}", (), {}, replicate=replicate)

    @added_once
    def null(self, index: int, architecture: str = "") -> str:
        """One of the pool of unmarked models. architecture: another than the profile's, trained like it."""
        label = f"null {index} {architecture}".strip()
        world = self.world
        if architecture:
            world = {name: one for name, one in world.items() if name != "weights"} | {"architecture": architecture}
        part = self._part("world", architecture, lambda: world, label)
        return self.add("null", label, (), {}, index=index, replicate=0, world=part)

    def innocent(self) -> str:
        """The model that thieves attack in place of a marked one: independent of the pool of nulls."""
        return self.null(self.profile.nulls)

    def clean_nulls(self) -> list[str]:
        return [self.null(index) for index in range(self.profile.nulls)]

    @property
    def well_off(self) -> DescribedThief:
        """A thief with labels for all of the pool that the matrix's thief has some of."""
        pool = self.profile.thieves[0].pool
        return DescribedThief(pool, self.task.owner if pool == "owner" else self.task.thief, 0)

    def surrogate_nulls(self, count: int = SURROGATES) -> list[str]:
        """Surrogates of `count` nulls, each by a thief with all of his pool; none where the track has no such pool."""
        if self.null_attack is None:
            return []
        # counted down from -1: no seed of a run draws from these streams, so no suspect shares its start with a null
        return [self.attacked(self.null_attack, None, self.null(one), -1 - one, self.well_off) for one in range(count)]

    @cached_property
    def null_pools(self) -> dict[str, list[str]]:
        """The models of every pool of nulls that counts, by the role of the jobs that judge them."""
        surrogates = self.surrogate_nulls()
        return {"nulls": self.clean_nulls()} | ({"surrogate_nulls": surrogates} if surrogates else {})

    @added_once
    def marked(self, scheme: Setting, replicate: int) -> str:
        host = self.host(replicate) if scheme.traits["host"] else None
        label = f"marked {scheme.label}"
        return self.add(
            "marked", label, [host] if host else [], self._sources(scheme),
            scheme=self._described(scheme, label), replicate=replicate, host=host, secret=self.secret,
        )  # fmt: skip

    @added_once
    def twin(self, marked: str, replicate: int) -> str:
        """The unmarked net that is trained as long as `marked`: what that took is known when it is done."""
        label = f"twin of {self.jobs[marked].label}"
        return self.add("twin", label, [marked, *self.jobs[marked].parents], {}, marked=marked, replicate=replicate)

    @added_once
    def attacked(
        self, attack: Setting, scheme: Setting | None, target: str | None, replicate: int, thief: DescribedThief
    ) -> str:
        """`scheme` None: nothing of it plays a part. Its code is in the payload only if the attack knows it."""
        traits = scheme.traits if scheme else {}
        whom = scheme.label if scheme and target and self.jobs[target].kind == "marked" else "unmarked"
        label = f"attacked {whom} × {attack.label}" if target else f"attacked {attack.label}"
        if thief != self.profile.thieves[0]:
            label += (
                f" with {thief.labelled} labelled and {thief.unlabelled} unlabelled images of the {thief.pool} pool"
            )
        held = {"pool": thief.pool, "labelled": thief.labelled, "unlabelled": thief.unlabelled}
        known = scheme if attack.aware else None
        stages = self._part("stages", attack.label, lambda: [described(stage) for stage in attack.stages], label)
        return self.add(
            "attacked", label, [target] if target else [], self._sources(scheme, attack),
            stages=stages,
            scheme=self._part("public", known.label, lambda: public(known.stages[0]), label) if known else None,
            target=target, grants=traits.get("release", "weights") if target else None, replicate=replicate,
            thief=self._part("thief", repr(thief), lambda: held, label),
            **({"key": target} if attack.oracle else {}),
        )  # fmt: skip

    @added_once
    def judged(self, scheme: Setting, key: str, suspects: Sequence[str], replicate: int, marked: str) -> str:
        """`marked` holds the key that was committed before its model was released: the ledger."""
        jobs = [self.jobs[suspect] for suspect in suspects]
        attacked = "attacked " if all(job.kind == "attacked" for job in jobs) else ""
        seen = f"{len(jobs)} {attacked}nulls" if len(jobs) > 1 else jobs[0].label.removeprefix("attacked ")
        whose = scheme.label if key == marked else f"the claim of {self.jobs[key].label.removeprefix('attacked ')}"
        label = f"judged {seen}" if key == marked and scheme.label in seen else f"judged {seen} under {whose}"
        # a suspect may be built by the attack's own builder or answer through its filter
        sources = {name: source for job in jobs for name, source in job.sources.items()}
        return self.add(
            "judged", label, [key, *suspects, marked], sources | self._sources(scheme),
            scheme=self._described(scheme, label), key=key, suspects=list(suspects), replicate=replicate,
            ledger=[marked], secret=self.secret,
        )  # fmt: skip

    def judged_nulls(self, scheme: Setting, key: str, replicate: int, marked: str) -> dict[str, str]:
        """The jobs that judge every pool of nulls under `key`, by the role of the pool."""
        return {role: self.judged(scheme, key, models, replicate, marked) for role, models in self.null_pools.items()}

    @added_once
    def drawn(self, scheme: Setting, marked: str, suspects: Sequence[str], replicate: int, draws: int) -> str:
        """`draws` fresh keys in place of the one that `marked` holds, spread evenly over `suspects`, each its own."""
        label = f"drawn {draws} fresh keys of {scheme.label}"
        return self.add(
            "drawn", label, [marked, *suspects], self._sources(scheme),
            scheme=self._described(scheme, label), key=marked, suspects=list(suspects), replicate=replicate,
            draws=draws, secret=self.secret,
        )  # fmt: skip

    def _described(self, scheme: Setting, label: str) -> SharedPart:
        return self._part("scheme", scheme.label, lambda: described(scheme.stages[0]), label)

    def _sources(self, scheme: Setting | None, attack: Setting | None = None) -> dict[str, PluginSource]:
        """Where the code of a scheme and an attack is, by the names of the roles it plays in a job."""
        known = scheme.label if scheme else "", attack.label if attack else ""
        if known not in self._code:
            stages = {f"stage{index}": _source(stage) for index, stage in enumerate(attack.stages if attack else ())}
            self._code[known] = stages | ({"scheme": _source(scheme.stages[0])} if scheme else {})
        return self._code[known]


def described(stage: Stage) -> dict[str, Any]:
    """What decides what a plug-in does. Raises BenchError when a file that a parameter names can't be read."""
    declaration, parameters = stage.declaration, stage.parameters
    found = {"name": declaration.name, "parameters": parameters, "code": source_hash(declaration.source)}
    paths = {name: Path(parameters[name]) for name in declaration.traits["file_parameters"] if parameters[name]}
    try:
        files = {name: content_hash(path) for name, path in paths.items()}
    except OSError as error:
        raise BenchError(f"{error.filename} can't be read: {error.strerror or error}") from None
    return found | ({"files": files} if files else {})


def public(stage: Stage) -> dict[str, Any]:
    """What a thief knows of a scheme: its code and parameters, but for files that are the owner's secret."""
    secrets = dict.fromkeys(stage.declaration.traits["secret_files"], "")
    return described(Stage(stage.declaration, stage.parameters | secrets))


def _source(stage: Stage) -> PluginSource:
    one = stage.declaration
    return PluginSource(str(one.source), one.class_name, source_hash(one.source), trusted=one.origin == "built-in")
