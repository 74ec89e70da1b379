"""What a row or a column of the matrix adds up to: tallies by board, fidelity, costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from benchmark.vocabulary import ATTACK_KINDS, ORACLE_KINDS
from leaderboard.judge.case_file import delivered_mark
from leaderboard.judge.cell import Cell
from leaderboard.judge.decide import Thresholds
from leaderboard.judge.evidence import Evidence
from leaderboard.judge.false_positives import FalseAlarms, false_alarms
from leaderboard.judge.results import Cost, cost_of, nulls_of, outcomes
from leaderboard.judge.run import Run
from leaderboard.judge.verdicts import NO_BETTER_THAN_SCRATCH, Tally
from leaderboard.stats.utility_test import ItemOutcomes, Utility, level, similarity

BOARDS = (*(kind for kind in ATTACK_KINDS if kind != "control"), *ORACLE_KINDS, "control")  # in the order of the pages
_TIERS = (0.01, 0.05, 0.25, 1.0)  # of training one host


@dataclass(frozen=True)
class Distortion:
    """What embedding did to the images of an image-to-image net: marked against host, means over the test images."""

    psnr: float
    ssim: float


@dataclass(frozen=True)
class Fidelity:
    """What embedding did at one replicate. Accuracies in [0, 1], or mean PSNR in dB.

    twin: an unmarked net that was trained as long as the marked one; older runs, and tracks of images, have none.
    drop: marked against twin, else against host, paired. scratch: the control against the same net. nulls: the mean
    over the clean nulls. marked_ssim, host_ssim: mean SSIM of their images against the wanted ones.
    """

    replicate: int
    marked: float | None
    host: float | None
    drop: Utility | None
    nulls: float | None
    cost: Cost | None
    evidence: Evidence | None
    marked_ssim: float | None = None
    host_ssim: float | None = None
    distortion: Distortion | None = None
    twin: float | None = None
    scratch: Utility | None = None


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

    relative: counted work (multiply-adds) over that of training one host, the same on every machine; tier: 0 (<= 1 %),
    1 (<= 5 %), 2 (<= 25 %), 3 (<= 100 %), 4. change: median net loss of utility, as in `Utility.delta`; against_twin:
    the same against unmarked nets that were trained as long as the marked ones. no_better: marks broken in a model that
    training anew would equal. Over several tracks there is no common cost and no common unit.
    """

    described: Mapping[str, Any]
    tally: Tally
    committed: Tally
    no_better: int
    change: float | None
    cost: Cost | None
    relative: float | None
    against_twin: float | None = None

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


def scheme_row(run: Run, scheme: Mapping[str, Any], cells: Sequence[Cell], court: Thresholds) -> SchemeRow:
    """The row of a scheme from its cells."""
    owners = [cell for cell in cells if not cell.innocent]
    by_replicate = {cell.replicate: cell for cell in reversed(owners) if cell.jobs}
    return SchemeRow(
        described=scheme,
        tallies={kind: Tally.of(c.verdict for c in owners if c.kind == kind) for kind in BOARDS},
        committed={kind: Tally.of(c.committed or c.verdict for c in owners if c.kind == kind) for kind in BOARDS},
        fidelity=[_fidelity(run, by_replicate[number], court) for number in sorted(by_replicate)],
        false_alarms=false_alarms(run, cells, court),
    )


def _fidelity(run: Run, cell: Cell, court: Thresholds) -> Fidelity:
    jobs = cell.jobs
    marked, host, twin, scratch = (outcomes(run, jobs.get(role)) for role in ("marked", "host", "twin", "scratch"))
    judged = jobs.get("fresh_nulls", jobs.get("nulls"))
    models = [model for model, _ in nulls_of(run, judged)] if judged and run.result(judged) else []
    nulls = [found for model in models if (found := level(outcomes(run, model))) is not None]
    unmarked = twin or host

    def loss(model: ItemOutcomes | None) -> Utility | None:
        with suppress(ValueError):  # outcomes on other images than the unmarked net's
            return court.compare(unmarked, model) if unmarked and model else None
        return None

    evidence = None
    with suppress(ValueError, KeyError):
        delivered = delivered_mark(run, jobs)
        evidence = court.weigh(delivered) if delivered else None
    return Fidelity(
        replicate=cell.replicate,
        marked=level(marked),
        host=level(host),
        drop=loss(marked),
        nulls=sum(nulls) / len(nulls) if nulls else None,
        cost=cost_of(run, jobs.get("marked")),
        evidence=evidence,
        marked_ssim=similarity(marked),
        host_ssim=similarity(host),
        distortion=_distortion(run, jobs.get("marked")),
        twin=level(twin),
        scratch=loss(scratch),
    )


def _distortion(run: Run, marked: str | None) -> Distortion | None:
    found = (run.result(marked) or {}).get("embedding")
    return Distortion(fmean(found["psnr"]), fmean(found["ssim"])) if found else None


def attack_row(attack: Mapping[str, Any], cells: Sequence[Cell], host_operations: float | None) -> AttackRow:
    """The row of an attack from its cells, those of one track."""
    own = [cell for cell in cells if not cell.innocent]
    costs = [cell.cost for cell in own if cell.cost]
    cost = _median_cost(costs) if costs else None
    changes = [cell.utility.delta for cell in own if cell.utility]
    against_twins = [cell.against_twin.delta for cell in own if cell.against_twin]
    return AttackRow(
        described=attack,
        tally=Tally.of(cell.verdict for cell in own),
        committed=Tally.of(cell.committed or cell.verdict for cell in own),
        no_better=sum(NO_BETTER_THAN_SCRATCH in cell.verdict.flags for cell in own),
        change=median(changes) if changes else None,
        cost=cost,
        relative=work_share(cost, host_operations),
        against_twin=median(against_twins) if against_twins else None,
    )


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
