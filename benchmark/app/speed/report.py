"""What `bench speed` finds, as a file holds it and as a person reads it; and two of them beside each other."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

from benchmark import __version__
from benchmark.app.speed.cells import measure_cells
from benchmark.app.speed.samples import Figure
from benchmark.app.speed.training import measure_training
from benchmark.description import read
from benchmark.errors import BenchError
from benchmark.execution.job_runner import hardware
from benchmark.files import read_json
from benchmark.planning.profile import Profile
from benchmark.training.device import device_of

NUMBERS_OF_WORKERS = (1, 2, 4, 8)  # by which the same jobs are timed, as far as there are cores
MEND_REPORT = "give a file that `bench speed --json` wrote"


@dataclass(frozen=True)
class SpeedReport:
    """Figures by name, and where they come from. hardware: the processor, or the GPU. cores: that could be used.

    created: ISO 8601, in UTC. note: what the fast loop is here.
    """

    in_part: ClassVar = True  # a report that was compared holds the ratios, too
    schema: Literal[1]
    version: str
    command: str
    created: str
    profile: str
    hardware: str
    cores: int
    versions: Mapping[str, str]
    note: str
    figures: Mapping[str, Figure]


@dataclass(frozen=True)
class SpeedRatio:
    """One figure in two reports, and the later as a share of the earlier."""

    name: str
    unit: str
    before: float
    now: float
    ratio: float


def measure(
    profile: Profile, device_name: str, seconds: float, command: str, before: SpeedReport | None = None
) -> SpeedReport:
    """All that the instrument measures, on this machine. seconds: for the alternation of training loops, about.

    before: what it is to be compared with. Raises BenchError at once where that is of other hardware or profile.
    """
    device = device_of(device_name)
    cores = len(os.sched_getaffinity(0))
    if before is not None:
        check_alike(before, profile.name, hardware(device), cores)
    training = measure_training(profile, device, seconds)
    workers = [n for n in NUMBERS_OF_WORKERS if n <= max(2, cores)]
    cells = measure_cells(profile, device, training.pace, workers)
    return SpeedReport(
        schema=1, version=__version__, command=command, created=datetime.now(UTC).isoformat(timespec="seconds"),
        profile=profile.name, hardware=hardware(device), cores=cores, versions=cells.versions, note=training.note,
        figures={**training.figures, **cells.figures},
    )  # fmt: skip


def check_alike(before: SpeedReport, profile: str, hardware: str, cores: int) -> None:
    """Raise BenchError where a report is not of this profile's net on this hardware."""
    for what, earlier, here in (
        ("other hardware", f"{before.hardware}, {before.cores} cores", f"{hardware}, {cores} cores"),
        ("another profile", before.profile, profile),
    ):
        if earlier != here:
            raise BenchError(
                f"--compare: the file is of {what} ({earlier}; here: {here}), and a ratio would say nothing: "
                "measure both in one place"
            )


def read_report(path: Path) -> SpeedReport:
    """A report that `bench speed --json` wrote. Raises BenchError."""
    return read(SpeedReport, read_json(path, MEND_REPORT), str(path), MEND_REPORT)


def ratios(before: SpeedReport, now: SpeedReport) -> list[SpeedRatio]:
    """Every figure that both have, and that was not 0 before."""
    both = [(name, before.figures[name], figure) for name, figure in now.figures.items() if name in before.figures]
    return [
        SpeedRatio(name, new.unit, old.value, new.value, new.value / old.value) for name, old, new in both if old.value
    ]


def as_json(report: SpeedReport, compared: Sequence[SpeedRatio]) -> dict[str, Any]:
    """The report as a file holds it, and the ratios of a comparison beside it."""
    return asdict(report) | ({"compared": [asdict(one) for one in compared]} if compared else {})


def in_words(report: SpeedReport) -> str:
    """A table: each figure with its interval."""
    lines = [f"{report.profile} on {report.hardware}, {report.cores} cores, torch {report.versions['torch']}"]
    width = max(map(len, report.figures))
    for name, one in report.figures.items():
        spread = f"  {_number(one.low)} to {_number(one.high)}" if one.low < one.high else ""
        lines.append(f"{name:<{width}}  {_number(one.value):>9} {one.unit:<9}{spread}".rstrip())
    return "\n".join([*lines, report.note])


def ratios_in_words(found: Sequence[SpeedRatio], before: SpeedReport) -> str:
    """A table: each figure before and now, and now as a share of before."""
    width = max((len(one.name) for one in found), default=0)
    lines = [f"this run beside that of {before.created}, version {before.version}"]
    lines += [
        f"{one.name:<{width}}  {_number(one.before):>9} {_number(one.now):>9} {one.unit:<9} ratio {one.ratio:.3f}"
        for one in found
    ]
    return "\n".join(lines)


def _number(value: float) -> str:
    """Four figures, or whole thousands set apart."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
