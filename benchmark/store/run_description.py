"""What `run.json` says of a run: profile, tracks, rows, columns, cells and job ids. Pages need this and the records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from benchmark.store.ensemble import DescribedAuto
from benchmark.vocabulary import ATTACK_KINDS, ORACLE_KINDS

RUN_FILE = "run.json"
_POOLS = ("nulls", "surrogate_nulls", "scratch_nulls")
# of a cell's jobs; the others made models
JUDGED_ROLES = ("judged", "fresh", *_POOLS, *(f"fresh_{pool}" for pool in _POOLS), "attacked_null", "rival")


@dataclass(frozen=True)
class DescribedThief:
    """A thief's images of the pool "disjoint" or "owner": how many he has with labels, and how many without; in place
    of both, runs before version 0.5 say which `share` of the pool, in [0, 1], he has, all with labels.
    """

    pool: str
    labelled: int | None = None
    unlabelled: int | None = None
    share: float | None = None

    def __post_init__(self) -> None:
        if (self.share is None) is (self.labelled is None) or (self.labelled is None) is not (self.unlabelled is None):
            raise ValueError("a thief has either labelled and unlabelled images, or a share of his pool")
        if min(self.labelled or 0, self.unlabelled or 0) < 0 or not 0 <= (self.share or 0) <= 1:
            raise ValueError("a thief's number of images is below 0, or his share of a pool is not in [0, 1]")

    def but(self, named: Mapping[str, Any]) -> DescribedThief:
        """The same with what is named of him. Raises ValueError where that is no thief, or not one of this form."""
        return replace(self, **{one.name: named[one.name] for one in fields(self) if named.get(one.name) is not None})


@dataclass(frozen=True)
class DescribedImageTrack:
    """What the profile says of its track of image-to-image nets. budget: in dB."""

    task: str
    architecture: str
    budget: float
    nulls: int
    training: Mapping[str, Any]
    thief: DescribedThief | None = None


@dataclass(frozen=True)
class DescribedProfile:
    """The profile of a run. budget: in points, or dB where the task maps images. weights: of the nets, by SHA-256."""

    name: str
    about: str
    task: str
    architecture: str
    precision: str
    alpha: float
    budget: float
    nulls: int
    seeds: int
    timeout: float
    thief: DescribedThief
    training: Mapping[str, Any]
    image: DescribedImageTrack | None = None
    engine: str = "auto"
    strict: bool = False
    weights: str = ""

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise ValueError(f"seeds must be at least 1, not {self.seeds}")


@dataclass(frozen=True)
class Track:
    """A task of the run, and how its cells are judged.

    kind: "classification" or "image-to-image". owner, thief, test: sizes in images. budget: in `unit`, "points" or
    "dB". nulls: clean ones; surrogates: how many of them count, too (none in older runs). strict: see `Profile`.
    """

    task: str
    kind: str
    unit: str
    owner: int
    thief: int
    test: int
    sha256: str
    architecture: str
    nulls: int
    alpha: float
    budget: float
    surrogates: int = 0
    strict: bool = False

    def __post_init__(self) -> None:
        if (self.kind, self.unit) not in (("classification", "points"), ("image-to-image", "dB")):
            raise ValueError(f"no task of the kind {self.kind!r} is measured in {self.unit!r}")
        if not (0 < self.alpha < 1 and 0 < self.budget < 100):
            raise ValueError(f"alpha {self.alpha} or budget {self.budget} is out of range")
        if min(self.owner, self.thief, self.test, self.nulls, self.surrogates) < 0:
            raise ValueError("a number of images or nulls is below 0")


@dataclass(frozen=True)
class DescribedScheme:
    """A row: a scheme at one setting.

    task: its track's, or None where the profile has none for it. expected_failure, expected_forgery: what the plug-in
    declared before any run, or None. release, court: what the model's users and the court are given.
    """

    label: str
    name: str
    doc: str
    parameters: Mapping[str, Any]
    task: str | None
    paper: str
    release: str
    court: str
    item: str
    host: bool
    capabilities: tuple[str, ...] = ()
    expected_failure: str | None = None
    expected_forgery: str | None = None


@dataclass(frozen=True)
class DescribedStage:
    """One attack of a chain."""

    name: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class DescribedAttack:
    """A column: an attack or a chain at one setting.

    access: what the thief needs of the release. tasks: the kinds of task that every stage serves. target: "none" where
    he never looks at the marked model. claim: whether he ends with a key of his own. evidence: the channel that decides
    where the scheme observes it, in place of the scheme's own; "" for that one.
    """

    label: str
    doc: str
    paper: str
    family: str
    kind: str
    access: str
    tasks: tuple[str, ...]
    requires: tuple[str, ...]
    target: str
    claim: bool
    stages: tuple[DescribedStage, ...]
    evidence: str = ""

    def __post_init__(self) -> None:
        if self.kind not in (*ATTACK_KINDS, *ORACLE_KINDS):
            raise ValueError(f"no attack is of the kind {self.kind!r}")
        if not self.stages:
            raise ValueError("it has no stage")


@dataclass(frozen=True, slots=True)
class PlannedCell:
    """One square of the matrix at one replicate: its jobs by role, or the reason why it can't be run.

    `innocent`: an unmarked model examined with the key of `scheme`. pool, labelled, unlabelled: the thief's images, as
    in `DescribedThief`; where older runs name none, those of the profile.
    """

    scheme: str
    attack: str
    replicate: int
    innocent: bool = False
    reason: str | None = None
    jobs: Mapping[str, str] = field(default_factory=dict)
    pool: str = "disjoint"
    labelled: int | None = None
    unlabelled: int | None = None
    share: float | None = None


@dataclass(frozen=True, slots=True)
class DescribedJob:
    """A planned job, by its id: what a person calls it, and the ids of the jobs that it reads."""

    kind: str
    label: str
    parents: tuple[str, ...]


@dataclass(frozen=True)
class LeftOut:
    """A plug-in file that could not be read, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class DescribedCalibration:
    """The jobs that calibrate a scheme, by what they stand for; None where there is no such job."""

    scheme: str
    marked: str
    fresh: str
    drawn: str
    crossed: tuple[str, ...]
    pools: Mapping[str, str]
    surrogate_nulls: str | None = None
    scratch_nulls: str | None = None
    attacked_marked: str | None = None

    @property
    def references(self) -> Iterator[tuple[str, str, str]]:
        """Every job that it names: what it stands for, its id, and what kind it has to be of."""
        yield "marked", self.marked, "marked"
        yield from (("drawn", job, "drawn") for job in (self.drawn, *self.crossed))
        judged = {"fresh": self.fresh, **self.pools, **{role: getattr(self, role) for role in _POOLS[1:]}}
        yield from ((role, job, "judged") for role, job in judged.items() if job)


@dataclass(frozen=True)
class DescribedReproduction:
    """The reproduction that a run is: the claims as declared before it, and the labels behind their short names.

    sha256: of the file that declares them, in hexadecimal.
    """

    work: str
    about: str
    paper: str
    scale: str
    sha256: str
    schemes: Mapping[str, str]
    attacks: Mapping[str, str]
    claims: list[Mapping[str, Any]]

    def __post_init__(self) -> None:
        if self.scale not in ("full", "small"):
            raise ValueError(f"scale is full or small, not {self.scale!r}")


@dataclass(frozen=True)
class RunDescription:
    """The whole of `run.json`. version: of watermark-bench. created: ISO 8601, in UTC. jobs: by id.

    calibration, reproduction, auto: only of a run that is or has one. What its parts name is there: a cell's row and
    column, a scheme's task, and jobs of the right kind; thieves all have counted images, or all have shares. Raises
    ValueError.
    """

    schema: Literal[1]
    run: str
    version: str
    command: str
    created: str
    profile: DescribedProfile
    data: tuple[Track, ...]
    schemes: tuple[DescribedScheme, ...]
    attacks: tuple[DescribedAttack, ...]
    cells: tuple[PlannedCell, ...]
    jobs: Mapping[str, DescribedJob]
    broken: tuple[LeftOut, ...]
    calibration: tuple[DescribedCalibration, ...] | None = None
    reproduction: DescribedReproduction | None = None
    auto: DescribedAuto | None = None

    def __post_init__(self) -> None:
        schemes, attacks = ([one.label for one in rows] for rows in (self.schemes, self.attacks))
        tasks = [track.task for track in self.data]
        for what, names in (("schemes", schemes), ("attacks", attacks), ("tasks", tasks)):
            if twice := [name for name, times in Counter(names).items() if times > 1]:
                raise ValueError(f"two {what} are called {twice[0]!r}")
        for what, used, known in (
            ("scheme", [cell.scheme for cell in self.cells], {*schemes}),
            ("attack", [cell.attack for cell in self.cells], {*attacks, "none"}),  # innocents are seen untouched, too
            ("task", [scheme.task for scheme in self.schemes], {*tasks, None}),
        ):
            if unknown := [name for name in used if name not in known]:
                raise ValueError(f"it has no {what} {unknown[0]!r}")
        own, image = self.profile.thief, self.profile.image and self.profile.image.thief
        for one in (*([image] if image else []), *self.cells):
            own.but({name: getattr(one, name) for name in ("labelled", "unlabelled", "share")})
        for role, id, kind in self._references():
            found = self.jobs[id].kind if id in self.jobs else kind  # one that is not there was never run
            if found in ("judged", "drawn") if kind is None else found != kind:
                raise ValueError(f"job {id!r} is not one that can stand as {role!r}")

    def _references(self) -> Iterator[tuple[str, str, str | None]]:
        """Every job that a cell or a calibration names: its role, its id, and its kind (None: it made a model)."""
        for cell in self.cells:
            for role, id in cell.jobs.items():
                yield role, id, "judged" if role in JUDGED_ROLES else None
        for one in self.calibration or ():
            yield from one.references

    def as_json(self) -> dict[str, Any]:
        """What `run.json` holds."""
        optional = ("calibration", "reproduction", "auto")
        whole = {name: one for name, one in asdict(self).items() if one is not None or name not in optional}
        own, image = whole["profile"]["thief"], whole["profile"]["image"] or {}
        for one in filter(lambda one: one and one["share"] is None, (own, image.get("thief"), *whole["cells"])):
            del one["share"]  # of older runs alone
        return whole
