"""A profile: everything that decides what a run means, in one TOML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

from benchmark.architectures.catalogue import read_architecture
from benchmark.data.own_images import is_own, read_name
from benchmark.data.tasks import find_task
from benchmark.description import did_you_mean, read
from benchmark.errors import BenchError
from benchmark.files import read_toml
from benchmark.store.run_description import DescribedImageTrack, DescribedProfile, DescribedThief

PROFILES = Path(__file__).parent / "profiles"
# fields that older jobs don't have: in a payload only with another value, so that these jobs keep their ids
_LATER = {"smoothing": 0.0, "decay_norms": True, "border": "zeros", "engine": "auto"}
Part = TypeVar("Part", "Profile", "ThiefData")


@dataclass(frozen=True)
class Training:
    """The recipe of hosts, nulls and whoever trains a house net; see `benchmark.training.recipe.Recipe`."""

    epochs: int
    lr: float
    batch: int
    weight_decay: float
    shift: int
    flip: bool
    optimiser: Literal["sgd", "adam"] = "sgd"
    schedule: Literal["cosine", "constant", "steps", "linear"] = "cosine"
    drops: tuple[float, ...] = ()
    smoothing: float = 0.0
    decay_norms: bool = True
    border: Literal["zeros", "reflect"] = "zeros"

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"epochs must be at least 1, not {self.epochs}")
        if bool(self.drops) != (self.schedule == "steps"):
            raise ValueError("drops and the schedule steps go together: shares of the training, such as [0.5, 0.75]")
        if not all(0 < drop < 1 for drop in self.drops):
            raise ValueError(f"drops must lie between 0 and 1, not {_listed(self.drops)}")
        if not 0 <= self.smoothing < 1:
            raise ValueError(f"smoothing must be at least 0 and below 1, not {self.smoothing}")

    def payload(self) -> dict[str, Any]:
        """The recipe as a job's payload holds it."""
        return _used(asdict(self))


@dataclass(frozen=True)
class ThiefData:
    """The thief's images: a share of the disjoint split, or of the owner's training set.

    Several values make an axis: the first of each is the matrix's, the others give curves.
    """

    pool: tuple[str, ...]
    share: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.pool or not set(self.pool) <= {"disjoint", "owner"}:
            raise ValueError(f"pool is disjoint or owner, not {_listed(self.pool)}")
        if not self.share or not all(0 <= share <= 1 for share in self.share):
            raise ValueError(f"share must lie between 0 and 1, not {_listed(self.share)}")
        if len(self.pool) * len(self.share) > MOST_THIEVES:
            raise ValueError(f"pool and share make at most {MOST_THIEVES} thieves together")
        if len(set(self.axis)) < len(self.axis):
            raise ValueError(f"pool and share name each value once, not {_listed(self.pool + self.share)}")

    @property
    def axis(self) -> list[tuple[str, float]]:
        """Every (pool, share), that of the matrix first."""
        return [(pool, share) for pool in self.pool for share in self.share]


@dataclass(frozen=True)
class ImageTrack:
    """The track of image-to-image schemes when the main task is one of classification. `budget` is in dB."""

    task: str
    architecture: str
    budget: float
    nulls: int
    training: Training


MOST_NULLS, MOST_SEEDS, MOST_THIEVES = 10_000, 1_000, 100  # a plan is made in memory, job by job
LEAST_NULLS = {"classification": 16, "image-to-image": 8}  # docs/decisions.md, Evidence


@dataclass(frozen=True)
class Profile:
    """What a run means. `alpha`, `budget` (points or dB) and `strict` only read the records; all else decides them.

    strict: whether p_null counts beside an exact p_key. engine: "eager" trains step by step on a GPU, too, where "auto"
    captures and compiles steps; on a CPU all is eager.
    """

    name: str
    about: str
    task: str
    architecture: str
    precision: Literal["auto", "float32"]
    alpha: float
    budget: float
    nulls: int
    seeds: int
    timeout: float
    thief: ThiefData
    training: Training
    image: ImageTrack | None = None
    engine: Literal["auto", "eager"] = "auto"
    strict: bool = False

    def __post_init__(self) -> None:
        kind = find_task(self.task).kind
        least = LEAST_NULLS[kind]
        for ok, sentence in (
            (0 < self.alpha < 1, f"alpha must lie between 0 and 1, not {self.alpha}"),
            (0 < self.budget < 100, f"the utility budget is in points or dB, between 0 and 100, not {self.budget}"),
            (self.nulls >= least, f"nulls must be at least {least}, not {self.nulls}: fewer can't support a verdict"),
            (self.nulls <= MOST_NULLS, f"nulls must be at most {MOST_NULLS}, not {self.nulls}"),
            (self.seeds >= 1, f"seeds must be at least 1, not {self.seeds}"),
            (self.seeds <= MOST_SEEDS, f"seeds must be at most {MOST_SEEDS}, not {self.seeds}"),
            (self.timeout > 0, f"timeout must be above 0 seconds, not {self.timeout}"),
            (
                self.image is None or (kind, find_task(self.image.task).kind) == ("classification", "image-to-image"),
                "the table [image] names a task of image-to-image nets, beside a main task of classification",
            ),
        ):
            if not ok:
                raise ValueError(sentence)
        if kind == "classification":
            read_architecture(self.architecture)
        _ = self.tracks  # each of them is a profile, and is checked like this one

    @cached_property
    def tracks(self) -> tuple[Profile, ...]:
        """A profile for each task of the run: the main one, and that of image-to-image schemes if there is one."""
        if self.image is None:
            return (self,)
        main = replace(self, image=None)
        return main, replace(main, **vars(self.image))

    def track(self, kinds: Sequence[str]) -> Profile | None:
        """The track whose task is of one of these kinds; None where the profile has none."""
        return next((one for one in self.tracks if find_task(one.task).kind in kinds), None)

    def world(self) -> dict[str, Any]:
        """The part that decides how every net of the run is trained, as a job's payload holds it."""
        decides = _used({name: getattr(self, name) for name in ("task", "architecture", "precision", "engine")})
        return decides | {"training": self.training.payload()}

    def with_options(
        self, *, thief_pool: tuple[str, ...] | None = None, thief_share: tuple[float, ...] | None = None, **options: Any
    ) -> Profile:
        """This profile with the command line's values; None means not given. Raises BenchError."""
        task = options.get("task")
        if task is not None and is_own(task):
            task = options["task"] = read_name(task).name
        if self.image is not None and task is not None and find_task(task).kind == "image-to-image":
            options |= {"task": None, "image": replace(self.image, task=task)}
        thief = _with(self.thief, f"profile {self.name}: thief", pool=thief_pool, share=thief_share)
        return _with(self, f"profile {self.name}", thief=thief, **options)

    def described(self) -> DescribedProfile:
        """The profile for `run.json`. Its thief is that of the matrix; the other cells name theirs themselves."""
        thief = DescribedThief(*self.thief.axis[0])
        training, image = self.training.payload(), None
        if self.image:
            image = DescribedImageTrack(**asdict(self.image) | {"training": self.image.training.payload()})
        return DescribedProfile(**asdict(self) | {"thief": thief, "training": training, "image": image})


def _with(part: Part, where: str, **options: Any) -> Part:
    """`part` with the options that are not None. Raises BenchError, which begins with `where`."""
    try:
        return replace(part, **{name: value for name, value in options.items() if value is not None})
    except ValueError as error:
        raise BenchError(f"{where}: {error}") from None


def _used(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in _LATER or value != _LATER[name]}


def _listed(values: tuple[Any, ...]) -> str:
    return ", ".join(map(repr, values)) or "nothing"


def profile_names() -> list[str]:
    return sorted(path.stem for path in PROFILES.glob("*.toml"))


def load_profile(name: str) -> Profile:
    """The profile called `name`, or the TOML file at that path. Raises BenchError in one sentence."""
    path = Path(name) if name.endswith(".toml") else PROFILES / f"{name}.toml"
    if not path.exists():
        hint = did_you_mean(name, profile_names(), "the profiles are")
        raise BenchError(f"no profile is called {name!r}: {hint}, or give the path of a .toml file")
    table, _ = read_toml(path, f"profile {path}", "mend it")
    return read(Profile, {"name": path.stem, **table}, f"profile {path.name}")
