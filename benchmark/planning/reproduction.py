"""A reproduction: what a paper reports, what would count as reproduced, and the two runs that can tell.

One TOML file per work. It is committed before anything is run, and `run.json` holds a copy of it from before the
first job, so no tolerance changes after its run. One that was written after an earlier trial is `declared` so, and is
counted apart from the others.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self, get_type_hints

from benchmark.errors import BenchError
from benchmark.planning.tolerance import RELATIVE, Tolerance

FOLDER = Path(__file__).parent / "reproductions"
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
AFTER_TRIAL = "after a trial"


def _read(cls: type[Any], table: Any, where: str) -> Any:
    """A table as a dataclass of plain fields; those with defaults may be left out. Raises BenchError."""
    if not isinstance(table, Mapping):
        raise BenchError(f"{where} must be a table")
    known = {f.name: f for f in fields(cls)}
    for name in table:
        if name not in known:
            close = get_close_matches(name, known)
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(known))}"
            raise BenchError(f"{where}: unknown key {name!r}: {hint}")
    required = {name for name, f in known.items() if f.default is MISSING}
    if missing := sorted(required - set(table)):
        raise BenchError(f"{where}: {', '.join(missing)} is missing: add it")
    hints = get_type_hints(cls)
    for name, value in table.items():
        wanted = {str: "a text", Mapping[str, str]: "a table of texts"}.get(hints[name])
        fits = isinstance(value, str) if hints[name] is str else isinstance(value, Mapping) and _texts(value)
        if wanted and not fits:
            raise BenchError(f"{where}: {name} must be {wanted}, not {value!r}")
    return cls(**table)


def _texts(table: Mapping[str, Any]) -> bool:
    return bool(table) and all(isinstance(value, str) for value in table.values())


@dataclass(frozen=True)
class Scale:
    """One of the two runs: a profile, and schemes and attacks by the short names that the claims use."""

    profile: str
    schemes: Mapping[str, str]
    attacks: Mapping[str, str]


@dataclass(frozen=True)
class ReportedClaim:
    """One figure or sentence of the paper, and what would count as reproduced.

    scheme, attack: short names of the scales' tables. reported: a number, a word, or None where the paper gives
    none. full, small: the tolerance at that scale, "" where the claim isn't held there. unmeasured: why no cell of
    the benchmark can tell. why: known reasons for a difference. channel: of the quantity of that name. declared: when
    the tolerance was written, "after a trial" that had shown the figure, or "" for before any.
    """

    id: str
    text: str
    where: str
    tag: str
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
    declared: str = ""

    @classmethod
    def read(cls, table: Any, where: str) -> Self:
        claim: Self = _read(cls, table, where)
        if isinstance(claim.reported, bool) or not isinstance(claim.reported, int | float | str | None):
            raise BenchError(f"{where}: reported is a number or a word, not {claim.reported!r}")
        if isinstance(claim.reported, int):
            claim = cls(**{**asdict(claim), "reported": float(claim.reported)})
        for fault in _faults(claim):
            raise BenchError(f"{where}: {fault}")
        return claim

    def tolerance(self, scale: str) -> Tolerance | None:
        """What is held at `scale`; None where nothing is."""
        text = self.full if scale == "full" else self.small
        return Tolerance.parse(text) if text else None


def _faults(claim: ReportedClaim) -> list[str]:
    if claim.tag not in TAGS:
        return [f"tag is one of {', '.join(TAGS)}, not {claim.tag!r}"]
    if claim.declared not in ("", AFTER_TRIAL):
        return [f"declared is {AFTER_TRIAL!r}, or left out, not {claim.declared!r}"]
    if claim.tag == "ours" and claim.reported is not None:
        return [f"what is not in the paper has no reported value, and {claim.reported!r} is given"]
    if claim.tag == "derived" and claim.reported is None and not claim.unmeasured:
        return ["what is derived has a reported value: give it"]
    held = [scale for scale in SCALES if getattr(claim, scale)]
    if claim.unmeasured:
        return [f"it is said to be unmeasured, so it can't be held at {held[0]} scale"] if held else []
    if not held:
        return ["it needs a tolerance for full or small, or the reason why it is unmeasured"]
    if claim.quantity not in QUANTITIES:
        return [f"quantity is one of {', '.join(QUANTITIES)}, not {claim.quantity!r}"]
    if bool(claim.channel) != (claim.quantity == "channel"):
        return ["the quantity 'channel' names its channel, and no other does"]
    try:
        tolerances = [Tolerance.parse(getattr(claim, scale)) for scale in held]
    except ValueError as error:
        return [str(error)]
    worded = claim.quantity in WORDS
    for one in tolerances:
        if (one.kind == "is") != worded:
            return [f"{claim.quantity} is {'a word' if worded else 'a number'}, which {one.text!r} does not fit"]
        if one.kind == "within" and not isinstance(claim.reported, float):
            return [f"{one.text!r} needs a reported number"]
        if one.kind == "within" and claim.tag == "unconfirmed":
            return [f"{one.text!r} would compare with a figure that is unconfirmed: give a bound of our own"]
    return []


@dataclass(frozen=True)
class Reproduction:
    """A work's file. digest: SHA-256 of its bytes, in hex."""

    work: str
    about: str
    paper: str
    scales: Mapping[str, Scale]
    claims: Sequence[ReportedClaim]
    digest: str

    def run_name(self, scale: str) -> str:
        """The folder of such a run, below the results."""
        return f"reproduce-{self.work}{'-small' if scale == 'small' else ''}"

    def described(self, scale: str, schemes: Mapping[str, str], attacks: Mapping[str, str]) -> dict[str, Any]:
        """The JSON that `run.json` holds before the first job: `schemes` and `attacks` are labels by short name."""
        return {
            "work": self.work,
            "about": self.about,
            "paper": self.paper,
            "scale": scale,
            "sha256": self.digest,
            "schemes": dict(schemes),
            "attacks": dict(attacks),
            "claims": [asdict(claim) for claim in self.claims],
        }


def works() -> list[str]:
    """The works that have a file."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_reproduction(work: str) -> Reproduction:
    """The file of `work`. Raises BenchError in one sentence."""
    if work not in works():
        close = get_close_matches(work, works())
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(works())}"
        raise BenchError(f"no reproduction is called {work!r}: {hint}")
    return read_reproduction(FOLDER / f"{work}.toml")


def read_reproduction(path: Path) -> Reproduction:
    """The TOML file at `path`. Raises BenchError in one sentence."""
    where = f"reproduction {path.name}"
    try:
        content = path.read_bytes()
        table = tomllib.loads(content.decode())
    except OSError as error:
        raise BenchError(f"{where} can't be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BenchError(f"{where} is not valid TOML: {error}") from error
    wanted = {"about", "paper", "claim", *SCALES}
    if unknown := sorted(set(table) - wanted):
        raise BenchError(f"{where}: unknown key {unknown[0]!r}: known are {', '.join(sorted(wanted))}")
    if missing := sorted(wanted - set(table)):
        raise BenchError(f"{where}: {', '.join(missing)} is missing: add it")
    for name in ("about", "paper"):
        if not isinstance(table[name], str):
            raise BenchError(f"{where}: {name} must be a text, not {table[name]!r}")
    scales = {scale: _read(Scale, table[scale], f"{where}: {scale}") for scale in SCALES}
    if not isinstance(table["claim"], list):
        raise BenchError(f"{where}: claims are written as [[claim]]")
    named = (one.get("id", f"number {i}") if isinstance(one, Mapping) else i for i, one in enumerate(table["claim"]))
    claims = [
        ReportedClaim.read(one, f"{where}: claim {name}") for one, name in zip(table["claim"], named, strict=True)
    ]
    _check_names(claims, scales, where)
    return Reproduction(path.stem, table["about"], table["paper"], scales, claims, hashlib.sha256(content).hexdigest())


def _check_names(claims: Sequence[ReportedClaim], scales: Mapping[str, Scale], where: str) -> None:
    """Raise BenchError where a claim names a scheme, an attack or a claim that isn't there at its scale."""
    by_id = {claim.id: claim for claim in claims}
    if len(by_id) < len(claims):
        twice = next(claim.id for i, claim in enumerate(claims) if claim.id in {one.id for one in claims[:i]})
        raise BenchError(f"{where}: two claims are called {twice!r}")
    for claim in claims:
        for scale in SCALES:
            tolerance = claim.tolerance(scale)
            if tolerance is None:
                continue
            for role, name, there in (
                ("scheme", claim.scheme, scales[scale].schemes),
                ("attack", claim.attack, scales[scale].attacks),
            ):
                if name not in there:
                    raise BenchError(f"{where}: claim {claim.id}: {scale} has no {role} called {name!r}")
            if tolerance.kind in RELATIVE:
                other = by_id.get(tolerance.other)
                if other is None or other is claim or not other.tolerance(scale):
                    raise BenchError(
                        f"{where}: claim {claim.id}: {tolerance.text!r} names no other claim held at {scale} scale"
                    )
                if other.quantity != claim.quantity:
                    raise BenchError(f"{where}: claim {claim.id}: {tolerance.text!r} compares different quantities")
