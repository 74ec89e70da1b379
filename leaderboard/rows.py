"""What a row or a column of the matrix adds up to: tallies by board, fidelity, false alarms, costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from leaderboard.cells import Cell
from leaderboard.evidence import OWN_POOL, Evidence, weigh
from leaderboard.jobs import Cost, cost_of, nulls_of, outcomes
from leaderboard.judging import Court, fresh
from leaderboard.run import Run
from leaderboard.statistics import clopper_pearson_upper
from leaderboard.utility import Utility, level, similarity
from leaderboard.verdicts import NO_BETTER_THAN_SCRATCH, Verdict, innocent_verdict

ORACLE_KINDS = ("oracle-removal", "oracle-ambiguity")  # attacks that were given the owner's key: never ranked
KINDS = (
    "removal",
    "function-preserving",
    "evasion",
    "extraction",
    "ambiguity",
    "false-claim",
    *ORACLE_KINDS,
    "control",
)
HELD = ("survived", "utility-lost", "rejected")
BROKEN = ("removed", "forged")
_TIERS = (0.01, 0.05, 0.25, 1.0)  # of training one host


@dataclass(frozen=True)
class Tally:
    """How many verdicts of each word there are."""

    words: Mapping[str, int]

    @classmethod
    def of(cls, verdicts: Iterable[Verdict]) -> Tally:
        return cls(Counter(verdict.word for verdict in verdicts))

    def count(self, *words: str) -> int:
        return sum(self.words.get(word, 0) for word in words)

    @property
    def held(self) -> int:
        """Marks that survived (utility-lost among them), claims that were rejected."""
        return self.count(*HELD)

    @property
    def broken(self) -> int:
        """Marks that were removed, claims that were forged."""
        return self.count(*BROKEN)

    @property
    def undecided(self) -> int:
        return self.count("undecided")

    @property
    def judged(self) -> int:
        """Everything with an outcome; embed-failed, not-applicable, crashed, timeout and the like are left out."""
        return self.held + self.broken + self.undecided

    @property
    def left_out(self) -> int:
        return sum(self.words.values()) - self.judged

    @property
    def shares(self) -> tuple[float, float]:
        """Share held when undecided counts as broken, and when it counts as held; (0, 0) where nothing was judged."""
        m = self.judged
        return (self.held / m, (self.held + self.undecided) / m) if m else (0.0, 0.0)


@dataclass(frozen=True)
class Distortion:
    """What embedding did to the images of an image-to-image net: marked against host, means over the test images."""

    psnr: float
    ssim: float


@dataclass(frozen=True)
class Fidelity:
    """What embedding did at one replicate. Accuracies in [0, 1], or mean PSNR in dB.

    drop: marked against host, paired, where there is a host. nulls: the mean over the clean nulls. marked_ssim: mean
    SSIM of the marked model's images against the wanted ones.
    """

    replicate: int
    marked: float | None
    host: float | None
    drop: Utility | None
    nulls: float | None
    cost: Cost | None
    evidence: Evidence | None
    marked_ssim: float | None = None
    distortion: Distortion | None = None


@dataclass(frozen=True)
class FalseAlarms:
    """Accusations of innocents under one scheme's keys.

    tally: the cells of the innocent models, attacked or not. fired, models: independent innocent models that
    were ever accused, and how many there are. null_fired, nulls: each clean null against all the others.
    The bounds are one-sided 95 % Clopper-Pearson bounds, over models: draws on one model share it.
    """

    tally: Tally
    fired: int
    models: int
    null_fired: int
    nulls: int

    @property
    def bound(self) -> float:
        return clopper_pearson_upper(self.fired, self.models)

    @property
    def null_bound(self) -> float:
        return clopper_pearson_upper(self.null_fired, self.nulls)


@dataclass(frozen=True)
class SchemeRow:
    """A scheme: its entry in run.json, its tally on every board, what embedding did, and its false alarms.

    committed: the tallies of the court that asks for commitment; they differ on the boards of claims only.
    """

    described: Mapping[str, Any]
    tallies: Mapping[str, Tally]
    committed: Mapping[str, Tally]
    fidelity: Sequence[Fidelity]
    false_alarms: FalseAlarms

    @property
    def label(self) -> str:
        return str(self.described["label"])


@dataclass(frozen=True)
class AttackRow:
    """An attack: its entry in run.json, what it did to all schemes, and its median cost over them.

    relative: counted work (multiply-adds) over that of training one host, the same on every machine; tier: 0
    (<= 1 %), 1 (<= 5 %), 2 (<= 25 %), 3 (<= 100 %), 4. change: median net loss of utility, as in `Utility.delta`.
    no_better: removals that training anew would equal. Over several tracks there is no common cost and no common unit.
    """

    described: Mapping[str, Any]
    tally: Tally
    committed: Tally
    no_better: int
    change: float | None
    cost: Cost | None
    relative: float | None

    @property
    def label(self) -> str:
        return str(self.described["label"])

    @property
    def kind(self) -> str:
        return str(self.described["kind"])

    @property
    def tier(self) -> int | None:
        return None if self.relative is None else tier(self.relative)


def tier(relative: float) -> int:
    """The tier of a cost, given over that of training one host."""
    return sum(relative > bound for bound in _TIERS)


def scheme_row(run: Run, scheme: Mapping[str, Any], cells: Sequence[Cell], court: Court) -> SchemeRow:
    """The row of a scheme from its cells among `cells`."""
    own = [cell for cell in cells if cell.scheme == scheme["label"]]
    owners = [cell for cell in own if not cell.innocent]
    by_replicate = {cell.replicate: cell for cell in reversed(owners) if cell.jobs}
    return SchemeRow(
        described=scheme,
        tallies={kind: Tally.of(c.verdict for c in owners if c.kind == kind) for kind in KINDS},
        committed={kind: Tally.of(c.committed or c.verdict for c in owners if c.kind == kind) for kind in KINDS},
        fidelity=[_fidelity(run, by_replicate[number], court) for number in sorted(by_replicate)],
        false_alarms=_false_alarms(run, own, court),
    )


def _fidelity(run: Run, cell: Cell, court: Court) -> Fidelity:
    jobs = cell.jobs
    marked, host = outcomes(run, jobs.get("marked")), outcomes(run, jobs.get("host"))
    judged = jobs.get("fresh_nulls", jobs.get("nulls"))
    models = [model for model, _ in nulls_of(run, judged)] if judged and run.result(judged) else []
    nulls = [found for model in models if (found := level(outcomes(run, model))) is not None]
    evidence = None
    with suppress(ValueError, KeyError):
        delivered = fresh(run, jobs)
        evidence = delivered.at(court.alpha) if delivered else None
    return Fidelity(
        replicate=cell.replicate,
        marked=level(marked),
        host=level(host),
        drop=court.compare(host, marked) if host and marked else None,
        nulls=sum(nulls) / len(nulls) if nulls else None,
        cost=cost_of(run, jobs.get("marked")),
        evidence=evidence,
        marked_ssim=similarity(marked),
        distortion=_distortion(run, jobs.get("marked")),
    )


def _distortion(run: Run, marked: str | None) -> Distortion | None:
    found = (run.result(marked) or {}).get("embedding")
    return Distortion(fmean(found["psnr"]), fmean(found["ssim"])) if found else None


def _false_alarms(run: Run, cells: Sequence[Cell], court: Court) -> FalseAlarms:
    innocents = [cell for cell in cells if cell.innocent]
    accused: dict[str, bool] = {}
    for cell in innocents:
        if cell.verdict.word in ("not-marked", "false-positive"):
            model = list(run.ancestors(cell.jobs["suspect"]))[-1]  # what it was made from: the untouched null
            accused[model] = accused.get(model, False) or cell.verdict.word == "false-positive"
    fired = [_accused_by_the_others(run, judged, court) for judged in _null_jobs(run, cells)]
    nulls = set().union(*fired)
    return FalseAlarms(
        tally=Tally.of(cell.verdict for cell in innocents),
        fired=sum(accused.values()),
        models=len(accused),
        null_fired=sum(any(one.get(model, False) for one in fired) for model in nulls),
        nulls=len(nulls),
    )


def _null_jobs(run: Run, cells: Sequence[Cell]) -> list[str]:
    """The jobs that judged the clean nulls under the owner's keys, one per key."""
    jobs = (cell.jobs.get("nulls") for cell in cells if not cell.claim)
    return [job for job in dict.fromkeys(jobs) if job and run.result(job)]


def _accused_by_the_others(run: Run, judged: str, court: Court) -> dict[str, bool]:
    """Whether each null would be accused if it were the suspect and all the others the nulls."""
    nulls, accused = nulls_of(run, judged), {}
    seen = [one for _, one in nulls]
    for number, (model, _) in enumerate(nulls):
        with suppress(ValueError, KeyError):  # observations that can't be weighed have their reason in every cell
            evidence = weigh(seen[number], {OWN_POOL: [*seen[:number], *seen[number + 1 :]]}, court.alpha)
            gates = court.gates(seen[number])
            accused[model] = innocent_verdict(evidence, gates).word == "false-positive"
    return accused


def attack_row(attack: Mapping[str, Any], cells: Sequence[Cell], host_operations: float | None) -> AttackRow:
    """The row of an attack from its cells among `cells`, those of one track."""
    own = [cell for cell in cells if cell.attack == attack["label"] and not cell.innocent]
    costs = [cell.cost for cell in own if cell.cost]
    cost = _median_cost(costs) if costs else None
    changes = [cell.utility.delta for cell in own if cell.utility]
    return AttackRow(
        described=attack,
        tally=Tally.of(cell.verdict for cell in own),
        committed=Tally.of(cell.committed or cell.verdict for cell in own),
        no_better=sum(NO_BETTER_THAN_SCRATCH in cell.verdict.flags for cell in own),
        change=median(changes) if changes else None,
        cost=cost,
        relative=work_share(cost, host_operations),
    )


def over_tracks(rows: Sequence[AttackRow]) -> AttackRow:
    """One attack on several tracks: its counts. Costs and changes of utility have no common measure."""
    if len(rows) == 1:
        return rows[0]
    words, committed = Counter[str](), Counter[str]()
    for row in rows:
        words.update(row.tally.words)
        committed.update(row.committed.words)
    no_better = sum(row.no_better for row in rows)
    return AttackRow(rows[0].described, Tally(words), Tally(committed), no_better, None, None, None)


def work_share(cost: Cost | None, host_operations: float | None) -> float | None:
    """Counted work over that of training one host; None where either was not counted."""
    if cost is None or cost.operations is None or not host_operations:
        return None
    return cost.operations / host_operations


def _median_cost(costs: Sequence[Cost]) -> Cost:
    def middle(name: str) -> Any:
        return median(getattr(cost, name) for cost in costs)

    counts = ("labelled", "unlabelled", "queries", "steps", "samples")
    worked = [cost.operations for cost in costs if cost.operations is not None]
    return Cost(
        middle("seconds"),
        middle("peak_memory_mb"),
        **{name: round(middle(name)) for name in counts},
        operations=round(median(worked)) if worked else None,
    )
