"""What `run.json` says of a run: profile, tracks, rows, columns, cells and job ids. Pages need this and the records."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

RUN_FILE = "run.json"


@dataclass(frozen=True)
class DescribedThief:
    """The images of the matrix's thief: a share, in [0, 1], of the pool "disjoint" or "owner"."""

    pool: str
    share: float


@dataclass(frozen=True)
class DescribedProfile:
    """The profile of a run. budget: in points, or in dB where the task maps images. timeout: seconds per job."""

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
    image: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Track:
    """A task of the run, and how its cells are judged.

    kind: "classification" or "image-to-image". owner, thief, test: sizes in images. alpha: a probability; budget: in
    `unit`, "points" or "dB". nulls: clean ones; surrogates: how many of them count as nulls, too (none in older runs).
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
    he never looks at the marked model. claim: whether he ends with a key of his own.
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


@dataclass(frozen=True)
class PlannedCell:
    """One square of the matrix at one replicate: its jobs by role, or the reason why it can't be run.

    `innocent`: an unmarked model examined with the key of `scheme`. pool, share: the thief's images.
    """

    scheme: str
    attack: str
    replicate: int
    innocent: bool = False
    reason: str | None = None
    jobs: Mapping[str, str] = field(default_factory=dict)
    pool: str = "disjoint"
    share: float = 1.0


@dataclass(frozen=True)
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
    attacked_marked: str | None = None


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


@dataclass(frozen=True)
class RunDescription:
    """The whole of `run.json`. version: of watermark-bench. created: ISO 8601, in UTC. jobs: by id.

    calibration, reproduction: only of a run that is one.
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

    def as_json(self) -> dict[str, Any]:
        """What `run.json` holds."""
        optional = ("calibration", "reproduction")
        return {name: one for name, one in asdict(self).items() if one is not None or name not in optional}


def retrying(command: str, what: str) -> str:
    """The command of a run.json, made to run again what is `what`: crashed, not-applicable or damaged."""
    try:
        words = shlex.split(command)
    except ValueError:  # a quote too many: it was not written by `bench run`
        return f"{command} --retry {what}"
    kept = [word for before, word in zip(["", *words], words, strict=False)
            if word not in ("--fresh", "--retry") and before != "--retry"]  # fmt: skip
    return shlex.join([*kept, "--retry", what])
