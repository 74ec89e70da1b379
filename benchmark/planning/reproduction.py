"""A reproduction: what a paper reports, what would count as reproduced, and the two runs that decide it.

One TOML file per work. It is committed before anything is run, and `run.json` holds a copy of it from before the
first job, so no tolerance changes after its run. One that was written after an earlier trial is `declared` so, and is
counted apart from the others.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from benchmark.description import did_you_mean, read
from benchmark.errors import BenchError
from benchmark.files import read_toml
from benchmark.planning.tolerance import RELATIVE, Tolerance
from benchmark.store.run_description import DescribedReproduction

REPRODUCTIONS = Path(__file__).parent / "reproductions"
SCALES = ("full", "small")
TAGS = {
    "reported": "read in the paper's own tables, figures or slides",
    "derived": "computed from files that the authors or others published, or read in their logs",
    "unconfirmed": "remembered and never checked against the paper: no comparison rests on it",
    "ours": "not in the paper: asked by this project beside it",
}
# what the cells of a leaderboard hold, with the unit; the last two are words
QUANTITIES = {
    "accuracy": "%",
    "claimed accuracy": "%",
    "utility change": "points",
    "embedding change": "points",
    "mark": "%",
    "null mark": "%",
    "channel": "",
    "log10 p": "",
    "rarity": "bits",
    "psnr": "dB",
    "psnr gain": "dB",
    "evidence": "",
    "verdict": "",
}
WORDS = ("evidence", "verdict")
AFTER_TRIAL: Final = "after a trial"


@dataclass(frozen=True)
class Scale:
    """One of the two runs: a profile, how many seeds of it, and schemes and attacks by the claims' short names."""

    profile: str
    seeds: int
    schemes: Mapping[str, str]
    attacks: Mapping[str, str]

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise ValueError(f"seeds must be at least 1, not {self.seeds}")
        if not (self.schemes and self.attacks):
            raise ValueError("schemes and attacks are tables with at least one name each")


@dataclass(frozen=True)
class ReportedClaim:
    """One figure or sentence of the paper, and what would count as reproduced.

    scheme, attack: short names of the scales' tables. reported: a number, a word, or None where the paper gives
    none. full, small: the tolerance at that scale, "" where the claim isn't held there. unmeasured: why no cell of
    the benchmark measures it. why: known reasons for a difference. channel: of the quantity of that name. declared:
    when the tolerance was written, "after a trial" that had shown the figure, or "" for before any.
    """

    id: str
    text: str
    where: str
    tag: Literal["reported", "derived", "unconfirmed", "ours"]
    quantity: str = ""
    scheme: str = ""
    attack: str = ""
    channel: str = ""
    unit: str = ""
    reported: float | str | None = None
    full: str = ""
    small: str = ""
    unmeasured: str = ""
    why: str = ""
    declared: Literal["", "after a trial"] = ""

    def __post_init__(self) -> None:
        if fault := _fault(self):
            raise ValueError(fault)

    def tolerance(self, scale: str) -> Tolerance | None:
        """What is held at `scale`; None where nothing is."""
        text = self.full if scale == "full" else self.small
        return Tolerance.parse(text) if text else None


def _fault(claim: ReportedClaim) -> str | None:
    if claim.tag == "ours" and claim.reported is not None:
        return f"what is not in the paper has no reported value, and {claim.reported!r} is given"
    if claim.tag == "derived" and claim.reported is None and not claim.unmeasured:
        return "what is derived has a reported value: give it"
    held = [scale for scale in SCALES if getattr(claim, scale)]
    if claim.unmeasured:
        return f"it is said to be unmeasured, so it can't be held at {held[0]} scale" if held else None
    if not held:
        return "it needs a tolerance for full or small, or the reason why it is unmeasured"
    if claim.quantity not in QUANTITIES:
        return f"quantity is one of {', '.join(QUANTITIES)}, not {claim.quantity!r}"
    if bool(claim.channel) != (claim.quantity == "channel"):
        return "the quantity 'channel' names its channel, and no other does"
    worded = claim.quantity in WORDS
    for one in [Tolerance.parse(getattr(claim, scale)) for scale in held]:
        if (one.kind == "is") != worded:
            return f"{claim.quantity} is {'a word' if worded else 'a number'}, which {one.text!r} does not fit"
        if one.kind == "within" and not isinstance(claim.reported, float):
            return f"{one.text!r} needs a reported number"
        if one.kind == "within" and claim.tag == "unconfirmed":
            return f"{one.text!r} would compare with a figure that is unconfirmed: give a bound of our own"
    return None


@dataclass(frozen=True)
class Reproduction:
    """A work's file, in which each claim is a table [[claim]]. digest: SHA-256 of its bytes, in hex."""

    work: str
    digest: str
    about: str
    paper: str
    full: Scale
    small: Scale
    claim: list[ReportedClaim]

    def __post_init__(self) -> None:
        for id, times in Counter(claim.id for claim in self.claim).items():
            if times > 1:
                raise ValueError(f"two claims are called {id!r}")
        for claim in self.claim:
            for scale in SCALES:
                if fault := self._unknown_name(claim, scale):
                    raise ValueError(f"claim {claim.id}: {fault}")

    def _unknown_name(self, claim: ReportedClaim, scale: str) -> str | None:
        """What is wrong where a claim names a scheme, an attack or a claim that isn't there at `scale`."""
        if (tolerance := claim.tolerance(scale)) is None:
            return None
        there = self.scales[scale]
        if claim.scheme not in there.schemes:
            return f"{scale} has no scheme called {claim.scheme!r}"
        if claim.attack not in there.attacks:
            return f"{scale} has no attack called {claim.attack!r}"
        if tolerance.kind in RELATIVE:
            other = next((one for one in self.claim if one.id == tolerance.other and one is not claim), None)
            if other is None or other.tolerance(scale) is None:
                return f"{tolerance.text!r} names no other claim held at {scale} scale"
            if other.quantity != claim.quantity:
                return f"{tolerance.text!r} compares different quantities"
        return None

    @property
    def scales(self) -> dict[str, Scale]:
        return {"full": self.full, "small": self.small}

    def run_name(self, scale: str) -> str:
        """The folder of such a run, below the results."""
        return f"reproduce-{self.work}{'-small' if scale == 'small' else ''}"

    def described(self, scale: str, schemes: Mapping[str, str], attacks: Mapping[str, str]) -> DescribedReproduction:
        """What `run.json` holds before the first job: `schemes` and `attacks` are labels by short name."""
        claims: list[Mapping[str, Any]] = [asdict(claim) for claim in self.claim]
        return DescribedReproduction(self.work, self.about, self.paper, scale, self.digest, schemes, attacks, claims)


def works() -> list[str]:
    """The works that have a file."""
    return sorted(path.stem for path in REPRODUCTIONS.glob("*.toml"))


def load_reproduction(work: str) -> Reproduction:
    """The file of `work`. Raises BenchError in one sentence."""
    if work not in works():
        raise BenchError(f"no reproduction is called {work!r}: {did_you_mean(work, works(), 'there are')}")
    return read_reproduction(REPRODUCTIONS / f"{work}.toml")


def read_reproduction(path: Path) -> Reproduction:
    """The TOML file at `path`. Raises BenchError in one sentence."""
    where = f"reproduction {path.name}"
    table, content = read_toml(path, where, "mend it")
    return read(Reproduction, {**table, "work": path.stem, "digest": hashlib.sha256(content).hexdigest()}, where)
