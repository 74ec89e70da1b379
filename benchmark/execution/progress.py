"""What a person sees while a run goes on: a live display on a terminal or in a notebook, one line per job elsewhere.

Labels and reasons come from plug-ins: they are shown as plain text, never as markup or terminal codes.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from benchmark.errors import printable
from benchmark.planning.job import Job, ways
from benchmark.store.records import Record
from benchmark.vocabulary import JobKind

BAR = 24  # columns
STYLES = {"ok": "green", "not-applicable": "dim", "blocked": "yellow"}  # the rest is red


class JobCounts:
    """What the events of a run come to: what is done, what runs, and how long the rest may take.

    The scheduler reports to it from one thread; another may read it at any time, so readers copy before they iterate.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: dict[str, Job] = {}  # neither finished nor blocked
        self._began: dict[str, tuple[Job, float]] = {}  # what runs now, and since when
        self._known: set[str] = set()  # final before this run
        self._work: dict[JobKind, float] = defaultdict(float)  # expected seconds of what is left
        self._took: dict[JobKind, float] = defaultdict(float)  # over the jobs that ended ok in this run
        self._estimated: dict[JobKind, float] = defaultdict(float)
        self._ways: dict[str, float] = {}
        self._all_work = 0.0  # of what is left and what is settled
        self._workers = 1
        self.total = 0  # jobs this run has to settle; what was final before is in `cached`

    def planned(self, jobs: Sequence[Job], cached: Sequence[Job], workers: int) -> None:
        """All jobs of this run, and those of them whose record is final already."""
        self._known = {job.id for job in cached}
        left = [job for job in jobs if job.id not in self._known]
        self._left, self._ways = {job.id: job for job in left}, ways(left)
        for job in left:
            self._add(job)
        self.total, self._workers = len(left), max(1, workers)

    def started(self, job: Job) -> None:
        self._began[job.id] = (job, self._clock())

    def finished(self, job: Job, record: Record) -> None:
        self._began.pop(job.id, None)
        self._take_out(job)
        if record["status"] == "ok" and (seconds := record["run"].get("seconds")) is not None:
            self._took[job.kind] += seconds
            self._estimated[job.kind] += job.seconds

    def blocked(self, job: Job, ancestor: Job) -> None:
        """`job` won't run, since `ancestor` did not end ok."""
        self._take_out(job)

    def postponed(self, job: Job, reason: str) -> None:
        """It ran out of memory, or its parent is made again first: it will be run once more."""
        self._began.pop(job.id, None)

    def rebuilt(self, job: Job, reason: str) -> None:
        """`job` was finished and will be run again: its artefact is damaged, or a parent came out different."""
        if job.id not in self._left:
            self._left[job.id] = job
            self._add(job)
        if job.id in self._known:
            self._known.remove(job.id)
            self.total += 1

    def _add(self, job: Job) -> None:
        self._work[job.kind] += job.seconds
        self._all_work += job.seconds

    def _take_out(self, job: Job) -> None:
        if self._left.pop(job.id, None) is not None:
            self._work[job.kind] -= job.seconds

    @property
    def cached(self) -> int:
        return len(self._known)

    @property
    def done(self) -> int:
        return self.total - len(self._left)

    @property
    def share_done(self) -> float:
        """How much of the expected work of this run is settled, in [0, 1]."""
        left = sum(list(self._work.values()))
        return min(1.0, max(0.0, 1 - left / self._all_work)) if self._all_work else 1.0

    @property
    def running(self) -> list[tuple[Job, float]]:
        """What runs now, and the seconds since each started."""
        now = self._clock()
        return [(job, now - began) for job, began in list(self._began.values())]

    def seconds_left(self) -> float:
        """What is left, over the workers, but no less than the longest chain of jobs that need one another.

        Estimates are corrected by how long jobs of their kind took so far.
        """
        running, kinds = self.running, list(self._work)
        elapsed = {job.id: seconds for job, seconds in running}
        overall, pace = self._pace(kinds), {kind: self._pace([kind]) for kind in kinds}
        work = sum(pace[kind] * self._work[kind] for kind in kinds)
        work -= sum(min(seconds, pace[job.kind] * job.seconds) for job, seconds in running)
        # the scheduler starts the longest chains first, so with jobs enough for all workers they are under way
        few = len(self._left) <= self._workers
        chains = (
            max(0.0, pace[job.kind] * job.seconds - elapsed.get(job.id, 0.0))
            + overall * (self._ways.get(job.id, job.seconds) - job.seconds)
            for job in (list(self._left.values()) if few else [job for job, _ in running])
        )
        return max(work / self._workers, max(chains, default=0.0))

    def _pace(self, kinds: Sequence[JobKind]) -> float:
        """Seconds that jobs took for each that was expected; over all kinds, where none of these has ended."""
        for some in (kinds, list(self._estimated)):
            if estimated := sum(self._estimated.get(kind, 0.0) for kind in some):
                return sum(self._took[kind] for kind in some) / estimated
        return 1.0


class PlainProgress(JobCounts):
    """One line per settled job, for logs and pipes."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock)
        self.console = console

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def planned(self, jobs: Sequence[Job], cached: Sequence[Job], workers: int) -> None:
        super().planned(jobs, cached, workers)
        self._say(Text(f"{self.total} jobs to run, {self.cached} finished before"))

    def finished(self, job: Job, record: Record) -> None:
        super().finished(job, record)
        reason, log = record["reason"], record["run"].get("log")
        if record["status"] in ("crashed", "killed") and log:  # which worker it ran in is no part of the reason
            reason = f"{reason}; what it printed is in logs/{log}"
        self._settled(job, record["status"], record["run"].get("seconds"), reason)

    def blocked(self, job: Job, ancestor: Job) -> None:
        super().blocked(job, ancestor)
        self._settled(job, "blocked", None, f"it needs {ancestor.label}")

    def postponed(self, job: Job, reason: str) -> None:
        super().postponed(job, reason)
        self._say(Text(f"{printable(job.label)}: {printable(reason)}", style="yellow"))

    def rebuilt(self, job: Job, reason: str) -> None:
        super().rebuilt(job, reason)
        self._say(Text(f"{printable(job.label)} runs again: {printable(reason)}", style="yellow"))

    def _settled(self, job: Job, status: str, seconds: float | None, reason: str | None) -> None:
        total = str(self.total)
        line = Text(f"[{self.done:>{len(total)}}/{total}] ")
        line.append(f"{status:<14} ", style=STYLES.get(status, "red"))
        line.append(f"{'' if seconds is None else f'{seconds:.1f}s':>8}  {printable(job.label)}")
        if reason:
            line.append(f": {printable(reason)}")
        self._say(line)

    def _say(self, line: Text) -> None:
        self.console.print(line, soft_wrap=True)


class LiveProgress(PlainProgress):
    """What runs now and how much is left, redrawn in place; what went wrong scrolls by above it."""

    def __enter__(self) -> Self:
        self._live = Live(console=self.console, get_renderable=self.render, refresh_per_second=4, transient=True)
        self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.stop()

    def header(self) -> Text:
        """How far the run is, in one line."""
        header = Text(f"{self.done}/{self.total} done", style="bold")
        header.append(f" · {self.cached} finished before · {len(self.running)} running · ", style="not bold")
        header.append(f"about {duration(self.seconds_left())} left", style="not bold")
        return header

    def rows(self) -> list[tuple[str, str]]:
        """What runs now, the longest first: since when, and its label."""
        running = sorted(self.running, key=lambda entry: -entry[1])
        return [(duration(elapsed), printable(job.label)) for job, elapsed in running]

    def render(self) -> RenderableType:
        table = Table.grid(padding=(0, 1))
        table.add_column(justify="right", width=9, style="dim")
        table.add_column(no_wrap=True, overflow="ellipsis")
        for row in self.rows():
            table.add_row(*map(Text, row))
        top = Table.grid(padding=(0, 1))
        top.add_row(ProgressBar(total=1.0, completed=self.share_done, width=BAR), self.header())
        return Group(top, table)

    def _settled(self, job: Job, status: str, seconds: float | None, reason: str | None) -> None:
        if status not in ("ok", "not-applicable"):
            super()._settled(job, status, seconds, reason)


class NotebookProgress(LiveProgress):
    """The same below the cell of a notebook: drawn anew when a job begins or ends, twice a second at most."""

    def __enter__(self) -> Self:
        from IPython.display import display  # there wherever a console finds itself in a notebook

        self._shown = display(self._drawn(), raw=True, display_id=True)
        self._last = self._clock()
        return self

    def __exit__(self, *exception: object) -> None:
        self._shown.update(self._drawn(), raw=True)

    def started(self, job: Job) -> None:
        super().started(job)
        self._redraw()

    def finished(self, job: Job, record: Record) -> None:
        super().finished(job, record)
        self._redraw()

    def _redraw(self) -> None:
        if (now := self._clock()) - self._last >= 0.5:
            self._last = now
            self._shown.update(self._drawn(), raw=True)

    def _drawn(self) -> dict[str, str]:
        lines = [self.header().plain, *(f"{since:>9} {label}" for since, label in self.rows())]
        return {"text/plain": "\n".join(lines)}


def progress_for(console: Console) -> PlainProgress:
    """The display that suits the console: live where it can be redrawn, plain lines elsewhere."""
    if console.is_jupyter:
        return NotebookProgress(console)
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveProgress(console)
    return PlainProgress(console)


def duration(seconds: float) -> str:
    """Seconds as `42 s`, `3 min` or `1 h 05`."""
    whole = max(0, round(seconds))
    if whole < 100:
        return f"{whole} s"
    minutes = round(whole / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d}"


def note(console: Console, sentence: str) -> None:
    """Tell the person something that is no job's."""
    console.print(Text(printable(sentence), style="yellow"), soft_wrap=True)
