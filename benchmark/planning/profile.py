"""A profile: everything that decides what a run means, in one TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, replace
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Any, Self, get_args, get_origin, get_type_hints

from benchmark.architectures.catalogue import read_architecture
from benchmark.data.tasks import find_task
from benchmark.errors import BenchError

FOLDER = Path(__file__).parent / "profiles"


@dataclass(frozen=True)
class Section:
    """A table of the profile: every key is declared, typed and ranged; one without a default must be there."""

    @classmethod
    def read(cls, table: Mapping[str, Any], where: str) -> Self:
        known = {f.name for f in fields(cls)}
        for name in table:
            if name not in known:
                close = get_close_matches(name, known)
                hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(known))}"
                raise BenchError(f"{where}: unknown key {name!r}: {hint}")
        missing = sorted({f.name for f in fields(cls) if f.default is MISSING} - set(table))
        if missing:
            raise BenchError(f"{where}: {', '.join(missing)} is missing: add it")
        hints = get_type_hints(cls)
        return cls(**{name: _typed(value, hints[name], f"{where}: {name}") for name, value in table.items()})


def _typed(value: Any, wanted: Any, where: str) -> Any:
    if get_origin(wanted) is tuple:  # one value may stand without its list
        values = value if isinstance(value, list) else [value]
        return tuple(_typed(one, get_args(wanted)[0], where) for one in values)
    if get_origin(wanted) is UnionType:  # a table that may be left out
        wanted = get_args(wanted)[0]
    if isinstance(wanted, type) and issubclass(wanted, Section):
        if not isinstance(value, Mapping):
            raise BenchError(f"{where} must be a table")
        return wanted.read(value, where)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        raise BenchError(f"{where} must be a {wanted.__name__}, not {value!r}")
    return value


@dataclass(frozen=True)
class Training(Section):
    """The recipe of hosts, nulls and whoever trains a house net; see `benchmark.training.loop.Recipe`."""

    epochs: int
    lr: float
    batch: int
    weight_decay: float
    shift: int
    flip: bool
    optimiser: str = "sgd"
    schedule: str = "cosine"
    drops: tuple[float, ...] = ()

    def faults(self) -> Iterator[str]:
        """What is wrong with the values, one sentence each."""
        if self.epochs < 1:
            yield f"training.epochs must be at least 1, not {self.epochs}"
        if self.optimiser not in ("sgd", "adam"):
            yield f"training.optimiser is sgd or adam, not {self.optimiser!r}"
        if self.schedule not in ("cosine", "constant", "steps"):
            yield f"training.schedule is cosine, constant or steps, not {self.schedule!r}"
        if bool(self.drops) != (self.schedule == "steps"):
            yield "training.drops and the schedule steps go together: shares of the training, such as [0.5, 0.75]"
        if not all(0 < drop < 1 for drop in self.drops):
            yield f"training.drops lie between 0 and 1, not {_listed(self.drops)}"


@dataclass(frozen=True)
class ThiefData(Section):
    """The thief's images: a share of the disjoint split, or of the owner's training set.

    Several values make an axis: the first of each is the matrix's, the others give curves.
    """

    pool: tuple[str, ...]
    share: tuple[float, ...]

    @property
    def axis(self) -> list[tuple[str, float]]:
        """Every (pool, share), that of the matrix first."""
        return [(pool, share) for pool in self.pool for share in self.share]


@dataclass(frozen=True)
class Image(Section):
    """Where image-to-image schemes run when the main task is one of classification. `budget` is in dB."""

    task: str
    architecture: str
    budget: float
    nulls: int
    training: Training


LEAST_NULLS = {"classification": 16, "image-to-image": 8}  # metrics.md, section 3: nets that map images cost more


@dataclass(frozen=True)
class Profile(Section):
    """What a run means. `alpha` and `budget` (points or dB) only read the records; all else decides them."""

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
    thief: ThiefData
    training: Training
    image: Image | None = None

    def __post_init__(self) -> None:
        kind = find_task(self.task).kind
        least = LEAST_NULLS[kind]
        for ok, sentence in (
            (0 < self.alpha < 1, f"alpha must lie between 0 and 1, not {self.alpha}"),
            (0 < self.budget < 100, f"the utility budget is in points or dB, between 0 and 100, not {self.budget}"),
            (self.nulls >= least, f"nulls must be at least {least}, not {self.nulls}: fewer can't support a verdict"),
            (self.seeds >= 1, f"seeds must be at least 1, not {self.seeds}"),
            (self.timeout > 0, f"timeout must be above 0 seconds, not {self.timeout}"),
            (
                bool(self.thief.pool) and set(self.thief.pool) <= {"disjoint", "owner"},
                f"thief.pool is disjoint or owner, not {_listed(self.thief.pool)}",
            ),
            (
                bool(self.thief.share) and all(0 <= share <= 1 for share in self.thief.share),
                f"thief.share must lie between 0 and 1, not {_listed(self.thief.share)}",
            ),
            (
                len(set(self.thief.axis)) == len(self.thief.axis),
                f"thief.pool and thief.share name a value once, not {_listed(self.thief.pool + self.thief.share)}",
            ),
            (self.precision in ("auto", "float32"), f"precision is auto or float32, not {self.precision!r}"),
            (
                self.image is None or (kind, find_task(self.image.task).kind) == ("classification", "image-to-image"),
                "the table [image] names a task of image-to-image nets, beside a main task of classification",
            ),
        ):
            if not ok:
                raise BenchError(f"profile {self.name}: {sentence}")
        if fault := next(self.training.faults(), None):
            raise BenchError(f"profile {self.name}: {fault}")
        if kind == "classification":
            try:
                read_architecture(self.architecture)
            except BenchError as error:
                raise BenchError(f"profile {self.name}: {error}") from None
        _ = self.tracks

    @property
    def tracks(self) -> tuple[Profile, ...]:
        """A profile for each task of the run: the main one, and that of image-to-image schemes if there is one."""
        main = replace(self, image=None) if self.image else self
        if self.image is None:
            return (main,)
        return main, replace(main, **{f.name: getattr(self.image, f.name) for f in fields(self.image)})

    def track(self, kinds: Sequence[str]) -> Profile | None:
        """The track whose task is of one of these kinds; None where the profile has none."""
        return next((one for one in self.tracks if find_task(one.task).kind in kinds), None)

    def world(self) -> dict[str, Any]:
        """The part that decides how every net of the run is trained, as a job's payload holds it."""
        return {
            "task": self.task,
            "architecture": self.architecture,
            "training": asdict(self.training),
            "precision": self.precision,
        }

    def with_options(
        self, *, thief_pool: tuple[str, ...] | None = None, thief_share: tuple[float, ...] | None = None, **options: Any
    ) -> Profile:
        """This profile with the command line's values; None means not given."""
        thief = replace(self.thief, **_given(pool=thief_pool, share=thief_share))
        task = options.get("task")
        if self.image is not None and task is not None and find_task(task).kind == "image-to-image":
            options |= {"task": None, "image": replace(self.image, task=task)}
        return replace(self, thief=thief, **_given(**options))

    def described(self) -> dict[str, Any]:
        """The profile as JSON. Its thief is that of the matrix; the other cells name theirs themselves."""
        pool, share = self.thief.axis[0]
        return asdict(self) | {"thief": {"pool": pool, "share": share}}


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _listed(values: tuple[Any, ...]) -> str:
    return ", ".join(map(repr, values)) or "nothing"


def profile_names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_profile(name: str) -> Profile:
    """The profile called `name`, or the TOML file at that path. Raises BenchError in one sentence."""
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not path.is_file():
        close = get_close_matches(name, profile_names())
        hint = f"did you mean {close[0]}?" if close else f"the profiles are {', '.join(profile_names())}"
        raise BenchError(f"no profile is called {name!r}: {hint}, or give the path of a .toml file")
    try:
        table = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BenchError(f"profile {path} is not valid TOML: {error}") from error
    return Profile.read({"name": path.stem, **table}, f"profile {path.name}")
