"""The plan of a run: which cells the matrix has, and the jobs behind them. Pure: nothing is run here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmark.data.tasks import find_task
from benchmark.planning.clocks.estimates import Estimates
from benchmark.planning.job import Job
from benchmark.planning.obstacles import obstacle, unmarkable
from benchmark.planning.plan_builder import SURROGATES, PlanBuilder
from benchmark.planning.profile import Profile
from benchmark.plugins.selection import Setting
from benchmark.store.gc_pause import paused
from benchmark.store.run_description import DescribedThief, PlannedCell


@dataclass(frozen=True)
class Plan:
    """Cells, and the jobs they need, parents before children. surrogates: how many are nulls, by task."""

    profile: Profile
    schemes: tuple[Setting, ...]
    attacks: tuple[Setting, ...]
    cells: tuple[PlannedCell, ...]
    jobs: tuple[Job, ...]
    surrogates: Mapping[str, int]

    def kept_apart(self) -> list[KeptApart]:
        """The pairs that can't be run, by what stands between them, the most cells first."""
        schemes, attacks = ({one.label: one for one in some} for some in (self.schemes, self.attacks))
        found: dict[tuple[str, str], list[PlannedCell]] = defaultdict(list)
        for cell in self.cells:
            if cell.reason is not None and not cell.innocent:
                scheme = schemes[cell.scheme]
                track = self.profile.track(scheme.tasks) or self.profile.tracks[0]
                on = find_task(track.task), track.architecture
                between = unmarkable(scheme, *on) or obstacle(attacks[cell.attack], scheme, *on)
                assert between is not None
                found[between.attacks, between.schemes].append(cell)
        kept = [
            KeptApart(*words, len({cell.attack for cell in cells}), len({cell.scheme for cell in cells}), len(cells))
            for words, cells in found.items()
        ]
        return sorted(kept, key=lambda one: -one.cells)


@dataclass(frozen=True)
class KeptApart:
    """Cells that can't be run for one reason. attacks, schemes: see `Obstacle`; the numbers of both, and of cells."""

    attacks: str
    schemes: str
    attack_count: int
    scheme_count: int
    cells: int


@paused()
def make_plan(
    profile: Profile,
    schemes: Sequence[Setting],
    attacks: Sequence[Setting],
    null_attacks: Mapping[str, Setting],
    estimates: Estimates | None = None,
    secret: str = "",
) -> Plan:
    """Cross `schemes` with `attacks`.

    null_attacks: what makes the second pool of nulls, by task (`benchmark.planning.null_pools`). estimates,
    secret: see `PlanBuilder`.
    """
    jobs: dict[str, Job] = {}
    builders = {one: PlanBuilder(one, estimates, jobs, null_attacks.get(one.task), secret) for one in profile.tracks}
    cells = [
        cell
        for replicate in range(profile.seeds)
        for scheme in schemes
        for track in [profile.track(scheme.tasks) or profile.tracks[0]]
        for thief in track.thieves
        for cell in _Row(builders[track], scheme, replicate, thief).cells(attacks)
    ]
    surrogates = dict.fromkeys(null_attacks, SURROGATES)
    return Plan(profile, tuple(schemes), tuple(attacks), tuple(cells), tuple(jobs.values()), surrogates)


@dataclass(frozen=True)
class _Row:
    """A scheme's cells at one replicate and for one thief; beside them those of the innocent model under its key."""

    builder: PlanBuilder
    scheme: Setting
    replicate: int
    thief: DescribedThief

    def cells(self, attacks: Sequence[Setting]) -> Iterator[PlannedCell]:
        """Innocents are judged after the attacks of the matrix's thief only."""
        if unfit := unmarkable(self.scheme, self.builder.task, self.builder.profile.architecture):
            yield from (self._cell(attack.label, reason=unfit.reason) for attack in attacks)
            return
        common = self._common(attacks)
        for attack in attacks:
            reason = self._out_of_reach(attack)
            jobs = {} if reason else self._jobs(attack, common)
            yield self._cell(attack.label, reason=reason, jobs=jobs)
        if self.thief == self.builder.profile.thieves[0]:
            yield from self._innocents(attacks, common)

    def _cell(self, attack: str, **found: Any) -> PlannedCell:
        return PlannedCell(self.scheme.label, attack, self.replicate, **vars(self.thief), **found)

    def _common(self, attacks: Sequence[Setting]) -> dict[str, str]:
        """The jobs that all cells of the row share, by role."""
        builder, scheme, replicate = self.builder, self.scheme, self.replicate
        marked = builder.marked(scheme, replicate)
        common = {
            "host": builder.host(replicate),
            "marked": marked,
            "fresh": self._judged(marked, marked, marked),
            **builder.judged_nulls(scheme, marked, replicate, marked),
        }
        if builder.task.kind == "classification":  # a net that marks images leaves its host's weights as they are
            common["twin"] = builder.twin(marked, replicate)
        if builder.profile.seeds > 1:  # another owner's mark under this key: what no unmarked model can show
            rival = builder.marked(scheme, (replicate + 1) % builder.profile.seeds)
            common["rival"] = self._judged(marked, rival, marked)
        for attack in attacks:
            if attack.kind == "control" and attack.ignores_target and builder.task.kind in attack.tasks:
                common.setdefault("scratch", self._attacked(attack, None, None))  # of several recipes the first
        return common

    def _judged(self, key: str, suspect: str, marked: str) -> str:
        return self.builder.judged(self.scheme, key, [suspect], self.replicate, marked)

    def _attacked(self, attack: Setting, scheme: Setting | None, target: str | None) -> str:
        return self.builder.attacked(attack, scheme, target, self.replicate, self.thief)

    def _out_of_reach(self, attack: Setting) -> str | None:
        """Why `attack` can't be run on what the scheme is and releases here."""
        found = obstacle(attack, self.scheme, self.builder.task, self.builder.profile.architecture)
        return found.reason if found else None

    def _jobs(self, attack: Setting, common: Mapping[str, str]) -> dict[str, str]:
        """The jobs of one cell, by role."""
        marked, jobs = common["marked"], dict(common)
        target = marked
        if attack.kind == "false-claim":
            target = jobs["innocent"] = self.builder.innocent()
        jobs["attacked"] = self._attacked(attack, *((None, None) if attack.ignores_target else (self.scheme, target)))
        key = jobs["attacked"] if attack.claim else marked
        jobs["judged"] = self._judged(key, jobs["attacked"], marked)
        if attack.claim:
            theirs = self.builder.judged_nulls(self.scheme, key, self.replicate, marked)
            jobs |= {f"fresh_{role}": common[role] for role in theirs} | theirs
        elif not attack.ignores_target and not attack.aware:
            suspect = self._attacked(attack, None, self.builder.innocent())
            jobs["attacked_null"] = self._judged(marked, suspect, marked)
        return jobs

    def _innocents(self, attacks: Sequence[Setting], common: Mapping[str, str]) -> Iterator[PlannedCell]:
        """The control `unmarked`: the innocent model as it is, and after every attack that can touch it."""
        innocent, marked = self.builder.innocent(), common["marked"]
        suspects, reasons = {"none": innocent}, {}
        for attack in attacks:
            if reason := self._inapplicable(attack):
                reasons[attack.label] = reason
            else:
                suspects[attack.label] = self._attacked(attack, None, None if attack.ignores_target else innocent)
        for label, suspect in suspects.items():
            judged = self._judged(marked, suspect, marked)
            pools = {role: common[role] for role in self.builder.null_pools}
            jobs = {"marked": marked, "suspect": suspect, "judged": judged, **pools}
            yield self._cell(label, innocent=True, jobs=jobs)
        yield from (self._cell(label, innocent=True, reason=reason) for label, reason in reasons.items())

    def _inapplicable(self, attack: Setting) -> str | None:
        """Why an unmarked model can't meet `attack`."""
        if attack.kind == "false-claim":
            return f"{attack.label} claims with a key of its own: its cell stands in the row of {self.scheme.label}"
        if attack.aware:
            return f"{attack.label} needs a marked model, and this one is unmarked"
        return self._out_of_reach(attack)
