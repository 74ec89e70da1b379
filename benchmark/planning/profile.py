"""A profile: everything that decides what a run means, in one TOML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any, Literal, TypeVar

from benchmark.architectures.catalogue import read_architecture
from benchmark.data.own_images import is_own, read_name
from benchmark.data.tasks import Task, find_task
from benchmark.description import did_you_mean, read
from benchmark.errors import BenchError
from benchmark.files import read_toml
from benchmark.planning.own_nets import beside, net_beside, net_name, weights_digest
from benchmark.store.run_description import DescribedImageTrack, DescribedProfile, DescribedThief

PROFILES = Path(__file__).parent / "profiles"
MOST_NULLS, MOST_SEEDS, MOST_THIEVES = 10_000, 1_000, 100  # a plan is made in memory, job by job
# fields that older jobs don't have: in a payload only with another value, so that these jobs keep their ids
_LATER = {"smoothing": 0.0, "decay_norms": True, "border": "zeros", "engine": "auto", "weights": ""}
Part = TypeVar("Part", "Profile", "ThiefData")
Counts = tuple[int | Literal["all"], ...]


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
    """The thief's images, of the disjoint split or of the owner's training set: how many with labels and without.

    "all": the whole pool, or all that is left of it. Several values make an axis: the first of each is the matrix's,
    the others give curves.
    """

    pool: tuple[str, ...]
    labelled: Counts
    unlabelled: Counts

    def __post_init__(self) -> None:
        if not self.pool or not set(self.pool) <= {"disjoint", "owner"}:
            raise ValueError(f"pool is disjoint, owner or disjoint,owner, not {_listed(self.pool)}")
        for name, counts in (("labelled", self.labelled), ("unlabelled", self.unlabelled)):
            if not counts or not all(count == "all" or count >= 0 for count in counts):
                raise ValueError(f"{name} is a number of images, or all, not {_listed(counts)}")
        if len(self.pool) * len(self.labelled) * len(self.unlabelled) > MOST_THIEVES:
            raise ValueError(f"pool, labelled and unlabelled make at most {MOST_THIEVES} thieves together")

    def thieves(self, task: Task) -> list[DescribedThief]:
        """Every thief on a task, that of the matrix first. Raises ValueError where a pool can't give what they name."""
        found = []
        for pool, labelled, unlabelled in product(self.pool, self.labelled, self.unlabelled):
            there = task.owner if pool == "owner" else task.thief
            own = there if labelled == "all" else labelled
            more = max(0, there - own) if unlabelled == "all" else unlabelled
            if own + more > there:
                raise ValueError(
                    f"{own} labelled and {more} unlabelled images are more than the {there} of the {pool} pool of "
                    f"{task.name}: ask for fewer (--thief-labelled), or for all that are left (--thief-unlabelled all)"
                )
            found.append(DescribedThief(pool, own, more))
        if len(set(found)) < len(found):
            raise ValueError("pool, labelled and unlabelled name each thief once")
        return found


@dataclass(frozen=True)
class ImageTrack:
    """The track of image-to-image schemes when the main task is one of classification. `budget` is in dB."""

    task: str
    architecture: str
    budget: float
    nulls: int
    training: Training
    thief: ThiefData = ThiefData(("disjoint",), ("all",), (0,))


LEAST_NULLS = {"classification": 16, "image-to-image": 8}  # docs/decisions.md, Evidence


@dataclass(frozen=True)
class Profile:
    """What a run means. `alpha`, `budget` (points or dB) and `strict` only read the records; all else decides them.

    strict: whether p_null counts beside an exact p_key. engine: "eager" trains step by step on a GPU, too, where "auto"
    captures and compiles steps; on a CPU all is eager. weights: the file that house nets begin with, or "sha256:…"
    where it isn't here.
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
    weights: str = ""

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
        _ = self.thieves
        _ = self.tracks  # each of them is a profile, and is checked like this one

    @cached_property
    def tracks(self) -> tuple[Profile, ...]:
        """A profile for each task of the run: the main one, and that of image-to-image schemes if there is one."""
        if self.image is None:
            return (self,)
        main = replace(self, image=None)
        return main, replace(main, weights="", **vars(self.image))

    @cached_property
    def thieves(self) -> list[DescribedThief]:
        """Every thief of the main task, that of the matrix first."""
        return self.thief.thieves(find_task(self.task))

    def track(self, kinds: Sequence[str]) -> Profile | None:
        """The track whose task is of one of these kinds; None where the profile has none."""
        return next((one for one in self.tracks if find_task(one.task).kind in kinds), None)

    def world(self) -> dict[str, Any]:
        """The part that decides how every net of the run is trained, as a job's payload holds it."""
        decides = {name: getattr(self, name) for name in ("task", "precision", "engine")} | self._net
        return _used(decides) | {"training": self.training.payload()}

    @property
    def _net(self) -> dict[str, str]:
        """The house net and what it begins with, named by what they hold, wherever they lie."""
        return {"architecture": net_name(self.architecture), "weights": weights_digest(self.weights)}

    def with_options(
        self, *, thief_pool: tuple[str, ...] | None = None, thief_labelled: Counts | None = None,
        thief_unlabelled: Counts | None = None, **options: Any,
    ) -> Profile:  # fmt: skip
        """This profile with the command line's values; None means not given. Raises BenchError."""
        task = options.get("task")
        if task is not None and is_own(task):
            task = options["task"] = read_name(task).name
        if self.image is not None and task is not None and find_task(task).kind == "image-to-image":
            options |= {"task": None, "image": replace(self.image, task=task)}
        given = {"pool": thief_pool, "labelled": thief_labelled, "unlabelled": thief_unlabelled}
        where, image = f"profile {self.name}: thief", options.get("image", self.image)
        if image is not None:
            options["image"] = replace(image, thief=_with(image.thief, where, **given))
        return _with(self, f"profile {self.name}", thief=_with(self.thief, where, **given), **options)

    def described(self) -> DescribedProfile:
        """The profile for `run.json`. Its thief is that of the matrix; the other cells name theirs themselves."""
        thief, training, image = self.thieves[0], self.training.payload(), None
        if self.image:
            own = self.image.thief.thieves(find_task(self.image.task))[0]
            own_training = self.image.training.payload()
            image = DescribedImageTrack(**asdict(self.image) | {"training": own_training, "thief": own})
        return DescribedProfile(**asdict(self) | {"thief": thief, "training": training, "image": image} | self._net)


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
    return sorted(path.stem for path in PROFILES.rglob("*.toml"))


def load_profile(name: str) -> Profile:
    """The profile called `name`, or the TOML file at that path. Raises BenchError in one sentence."""
    path = Path(name)
    if not name.endswith(".toml"):
        path = next((one for one in PROFILES.rglob("*.toml") if one.stem == name), PROFILES / f"{name}.toml")
    if not path.exists():
        hint = did_you_mean(name, profile_names(), "the profiles are", instead="give the path of a .toml file")
        raise BenchError(f"no profile is called {name!r}: {hint}")
    table, _ = read_toml(path, f"profile {path}", "mend it")
    if isinstance(thief := table.get("thief"), Mapping) and "share" in thief:
        raise BenchError(f"profile {path.name}: thief: share is gone: write labelled and unlabelled, numbers of images")
    for name, place in (("weights", beside), ("architecture", net_beside)):
        if isinstance(table.get(name), str):
            table[name] = place(table[name], path.parent)
    return read(Profile, {"name": path.stem, **table}, f"profile {path.name}")
