"""What records hold beside their frame, as far as anybody reads it: results by kind of job, payloads, circumstances.

Verdicts and pages are made of these values alone, so a record whose values are of another form is refused when it is
read. What else a record holds is left as it is.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from benchmark.description import read
from benchmark.errors import BenchError
from benchmark.store.records import SECRET_ROLES, Record

_HUGE = 1e100  # no score or cost is as large, and the square of none is infinite


@dataclass(frozen=True)
class RecordedOutcomes:
    """A model on the test set, item by item: right and wrong as 1 and 0, or PSNR, that of doing nothing, and SSIM.

    majority: right and wrong of the most frequent class; None in older records.
    """

    correct: str | None = None
    majority: str | None = None
    psnr: list[float] | None = None
    identity: list[float] | None = None
    ssim: list[float] | None = None

    def __post_init__(self) -> None:
        if (self.correct is None and self.psnr is None) or (self.psnr is None) != (self.identity is None):
            raise ValueError("a model has right and wrong answers, or psnr and identity")
        _bits((self.correct or "") + (self.majority or ""))
        _alike(*([self.correct, self.majority] if self.majority is not None else []))
        _alike(self.psnr, self.identity, *([self.ssim] if self.ssim else []))


@dataclass(frozen=True)
class RecordedAgreement:
    """How alike two models answer: the share of equal labels, in [0, 1] (None for images), and the largest gap."""

    largest_gap: float
    labels: float | None = None


@dataclass(frozen=True)
class BeforeAndAfter:
    """A model's outcomes before and after an attack."""

    before: RecordedOutcomes
    after: RecordedOutcomes


@dataclass(frozen=True)
class RecordedDistortion:
    """PSNR in dB and SSIM of each image that a marked net makes, against those of its host."""

    psnr: list[float]
    ssim: list[float]

    def __post_init__(self) -> None:
        if not self.psnr:
            raise ValueError("psnr is empty")
        _alike(self.psnr, self.ssim)


@dataclass(frozen=True)
class ModelResult:
    """What a job that made a model found. cost: what was used, each counted. artefacts: SHA-256 by role."""

    in_part: ClassVar = True
    utility: RecordedOutcomes
    cost: Mapping[str, int]
    artefacts: Mapping[str, str]
    agreement: RecordedAgreement | None = None
    thief_utility: BeforeAndAfter | None = None
    embedding: RecordedDistortion | None = None
    commitment: str | None = None

    def __post_init__(self) -> None:
        if min(self.cost.values(), default=0) < 0:
            raise ValueError("a cost is below 0")
        if not self.artefacts.keys() <= {"service", *SECRET_ROLES}:
            raise ValueError("it has artefacts of other roles")


_MOST_KEYS = 1_000_000  # that a law may be drawn from


@dataclass(frozen=True)
class KeyLaw:
    """How the total of a channel is distributed under a fresh key; see `benchmark.protocol.observations`."""

    kind: Literal["binomial", "poisson-binomial", "redrawn"]
    p: float | list[float] | None = None
    totals: list[float] | None = None
    more: int = 0
    reached: int = 0
    most: int = 0

    def __post_init__(self) -> None:
        form = {"binomial": float, "poisson-binomial": list, "redrawn": type(None)}[self.kind]
        if not isinstance(self.p, form) or (self.kind == "redrawn") == (self.totals is None):
            raise ValueError(f"a {self.kind} law has other parameters")
        if not 0 <= self.reached <= self.more or (self.more and not self.totals):
            raise ValueError(f"{self.reached} of {self.more} more keys can't have reached a total")
        if not 0 <= self.most <= _MOST_KEYS or self.more > _MOST_KEYS:
            raise ValueError(f"a law is of at most {_MOST_KEYS} keys")
        if not all(0 <= p <= 1 for p in ([self.p] if isinstance(self.p, float) else self.p or ())):
            raise ValueError("a probability lies outside [0, 1]")

    def fits(self, channel: SeenChannel) -> bool:
        """Whether it is a law of the channel's total."""
        if channel.hits is None:
            return self.kind == "redrawn" and _small(self.totals or ())
        if self.kind == "redrawn":
            return all(0 <= total <= len(channel.hits) for total in self.totals or ())
        return not isinstance(self.p, list) or len(self.p) == len(channel.hits)


@dataclass(frozen=True)
class SeenChannel:
    """One item per part of the key: hits as 1 and 0, or real scores."""

    hits: str | None = None
    values: list[float] | None = None
    law: KeyLaw | None = None

    def __post_init__(self) -> None:
        if bool(self.hits) == bool(self.values):
            raise ValueError("it needs either hits or values, one for each part of the key")
        _bits(self.hits or "")
        if not _small(self.values or ()):
            raise ValueError("a score is too large")
        if self.law is not None and not self.law.fits(self):
            raise ValueError("its law is not one of its items")


@dataclass(frozen=True)
class SeenGate:
    """Right and wrong answers as 1 and 0, before and after the claimed key was installed."""

    before: str
    after: str

    def __post_init__(self) -> None:
        _bits(self.before + self.after)
        _alike(self.before, self.after)


@dataclass(frozen=True)
class SeenObservation:
    """What a court saw of one suspect. evidence: the channel that counts; views: those that count beside it.

    unreadable, inconsistent, opaque: why it is no evidence.
    """

    in_part: ClassVar = True
    evidence: str
    channels: Mapping[str, SeenChannel]
    gates: Mapping[str, SeenGate]
    unreadable: str | None
    inconsistent: str | None = None
    opaque: str | None = None
    views: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        why_not = self.unreadable, self.inconsistent, self.opaque
        if why_not == (None, None, None) and self.evidence not in self.channels:
            raise ValueError(f"it has no channel {self.evidence!r}, which is to be its evidence")
        if len({self.evidence, *self.views}) <= len(self.views):
            raise ValueError("its views are not distinct from its evidence and each other")
        if self.unreadable is None and not self.channels.keys() >= {*self.views}:
            raise ValueError("it has no channel for one of its views")


@dataclass(frozen=True)
class RecordedAdmission:
    """Whether the key may count as evidence; see `benchmark.protocol.observations.Admission`."""

    well_formed: bool
    bound: bool
    hash_bound: bool
    committed: bool
    reason: str | None
    grindable: str | None = None


@dataclass(frozen=True)
class JudgedResult:
    """What a court saw of suspects under one key."""

    in_part: ClassVar = True
    observations: list[SeenObservation]
    admission: RecordedAdmission

    def __post_init__(self) -> None:
        if (name := self.admission.grindable) is None:
            return
        readable = [seen.channels for seen in self.observations if seen.unreadable is None]
        if not all(name in channels and channels[name].hits for channels in readable):
            raise ValueError(f"it has no hits in the channel {name!r}, by which its key is grindable")


@dataclass(frozen=True)
class DrawnResult:
    """What innocent models showed under fresh keys. models: which of the suspects each observation is of."""

    in_part: ClassVar = True
    observations: list[SeenObservation]
    models: list[int]
    admissible: int

    def __post_init__(self) -> None:
        _alike(self.observations, self.models)
        if not 0 <= self.admissible <= len(self.models):
            raise ValueError(f"{self.admissible} of {len(self.models)} keys can't be admissible")


RESULTS: Mapping[str, type] = {
    **dict.fromkeys(("host", "null", "marked", "twin", "attacked"), ModelResult),
    "judged": JudgedResult,
    "drawn": DrawnResult,
}


@dataclass(frozen=True)
class PayloadWorld:
    """The part of a payload that decides how nets are trained."""

    in_part: ClassVar = True
    task: str


@dataclass(frozen=True)
class Payload:
    """A job's payload. suspects: the jobs whose models were judged."""

    in_part: ClassVar = True
    world: PayloadWorld
    suspects: list[str] = field(default_factory=list)
    engine: str = ""


@dataclass(frozen=True)
class Circumstances:
    """How a job ran: seconds on its device, and peak memory in MB."""

    in_part: ClassVar = True
    seconds: float
    peak_memory_mb: float
    device: str
    hardware: str
    versions: Mapping[str, str]

    def __post_init__(self) -> None:
        if not (0 <= self.seconds < _HUGE and 0 <= self.peak_memory_mb < _HUGE):
            raise ValueError("seconds or peak_memory_mb is out of range")


def check_record(record: Record, kind: str, where: str, mend: str) -> None:
    """Raise BenchError, which begins with `where`, unless what judge and pages read of a record has its form.

    kind: that of the job that the record is to be of.
    """
    payload = read(Payload, record["job"], f"{where}: job", mend)
    if record["kind"] != kind or kind not in RESULTS:
        raise BenchError(f"{where}: it is of a job of another kind than {reprlib.repr(kind)}: {mend}")
    if record["status"] == "ok":
        read(Circumstances, record["run"], f"{where}: run", mend)
        found: Any = read(RESULTS[kind], record["result"], f"{where}: result", mend)
        there = len(payload.suspects)
        if isinstance(found, JudgedResult) and len(found.observations) != there:
            raise BenchError(f"{where}: {len(found.observations)} of {there} suspects were observed: {mend}")


def _bits(text: str) -> None:
    if text.strip("01"):
        raise ValueError("right and wrong, or hits and misses, are written as 1 and 0")


def _small(values: Sequence[float]) -> bool:
    return all(-_HUGE < value < _HUGE for value in values)


def _alike(*lists: Sequence[Any] | None) -> None:
    """Raise ValueError unless all are of one length."""
    if len({len(one) for one in lists if one is not None}) > 1:
        raise ValueError("its lists are of different lengths")
