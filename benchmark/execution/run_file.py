"""Writing `run.json`: profile, rows, columns, cells and jobs of a plan."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from benchmark import __version__
from benchmark.data.tasks import find_task
from benchmark.errors import BenchError
from benchmark.files import read_json, write_whole
from benchmark.planning.plan import Plan
from benchmark.planning.profile import Profile
from benchmark.plugins.registry import Broken
from benchmark.plugins.selection import Setting
from benchmark.store import run_description
from benchmark.store.run_description import RUN_FILE
from benchmark.vocabulary import RECORD_SCHEMA


def describe(plan: Plan, run: str, command: str, broken: Sequence[Broken]) -> run_description.RunDescription:
    """Everything that pages say of a run and no record holds."""
    return run_description.RunDescription(
        schema=RECORD_SCHEMA,
        run=run,
        version=__version__,
        command=command,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        profile=plan.profile.described(),
        data=tuple(_track(track, plan.surrogates.get(track.task, 0)) for track in plan.profile.tracks),
        schemes=tuple(_scheme(setting, plan.profile) for setting in plan.schemes),
        attacks=tuple(_attack(setting) for setting in plan.attacks),
        cells=plan.cells,
        jobs={job.id: run_description.DescribedJob(job.kind, job.label, tuple(job.parents)) for job in plan.jobs},
        broken=tuple(run_description.LeftOut(str(one.path), one.reason) for one in broken),
    )


def _track(profile: Profile, surrogates: int) -> run_description.Track:
    task = find_task(profile.task)
    return run_description.Track(
        task.name, task.kind, task.unit, task.owner, task.thief, task.test, task.data_hash(),
        profile.world()["architecture"], profile.nulls, profile.alpha, profile.budget, surrogates, profile.strict,
    )  # fmt: skip


def _scheme(setting: Setting, profile: Profile) -> run_description.DescribedScheme:
    (stage,), track = setting.stages, profile.track(setting.tasks)
    traits = stage.declaration.traits
    return run_description.DescribedScheme(
        label=setting.label,
        name=stage.declaration.name,
        doc=_first_line(stage.declaration.doc),
        parameters=stage.parameters,
        task=track.task if track else None,
        expected_failure=stage.declaration.expected("expected_failures", stage.parameters),
        expected_forgery=stage.declaration.expected("expected_forgeries", stage.parameters),
        **{name: traits[name] for name in ("paper", "release", "court", "item", "host", "capabilities")},
    )


def _attack(setting: Setting) -> run_description.DescribedAttack:
    first, stages = setting.traits, setting.stages
    return run_description.DescribedAttack(
        label=setting.label,
        doc=" ".join(_first_line(stage.declaration.doc) for stage in stages),
        paper="; ".join(filter(None, (stage.declaration.traits["paper"] for stage in stages))),
        family=first["family"],
        kind=setting.kind,
        access=setting.access,
        tasks=tuple(setting.tasks),
        requires=tuple(sorted(setting.requires)),
        target=first["target"],
        claim=setting.claim,
        stages=tuple(run_description.DescribedStage(stage.declaration.name, stage.parameters) for stage in stages),
        evidence=setting.evidence,
    )


def _first_line(doc: str) -> str:
    return doc.strip().split("\n\n")[0].replace("\n", " ")


_CELL = ("scheme", "attack", "replicate", "innocent")
_THRESHOLDS = frozenset({"about", "alpha", "budget", "seeds", "strict", "timeout"})  # of a profile: they select nothing


def keep_other_board(folder: Path, described: run_description.RunDescription) -> Path | None:
    """Rename a folder whose pages show what the run to come does not, and return its new path; or None.

    A board that the new one includes is no other: more rows and columns, more seeds, other thresholds or edited code.
    Raises BenchError where the folder can't be renamed.
    """
    path = folder / RUN_FILE
    if not path.is_file() or {one.name for one in folder.iterdir()} == {RUN_FILE}:
        return None
    with suppress(BenchError, KeyError, TypeError, AttributeError):  # damaged, or of another version: any board's
        (ground, cells), (ground_to_come, to_come) = _selection(read_json(path, "")), _selection(described.as_json())
        if ground == ground_to_come and cells <= to_come:
            return None
    aside = next(one for number in count(1) if not (one := folder.with_name(f"{folder.name}-{number}")).exists())
    try:
        return folder.rename(aside)
    except OSError as error:
        reason = f"holds the board of another selection and can't be renamed ({error.strerror})"
        raise BenchError(f"{folder} {reason}: choose another --run") from error


def _selection(described: Mapping[str, Any]) -> tuple[str, set[str]]:
    """What a run.json says of the ground that a board stands on, and what is on it."""
    ground = {name: value for name, value in described["profile"].items() if name not in _THRESHOLDS}
    kind = ["calibration" in described, (described.get("reproduction") or {}).get("scale")]
    cells = [[cell.get(name) for name in (*_CELL, "pool", "labelled", "unlabelled", "share")]
             for cell in described["cells"]]  # fmt: skip
    on_it = [*cells, *(one["label"] for role in ("schemes", "attacks") for one in described[role])]
    return json.dumps([ground, kind], sort_keys=True), {json.dumps(one) for one in on_it}


def write_run_file(folder: Path, described: run_description.RunDescription) -> None:
    """Write `run.json`. Raises BenchError where the folder can't be written."""
    try:
        write_whole(folder / RUN_FILE, json.dumps(described.as_json(), indent=1).encode())
    except OSError as error:
        raise BenchError(
            f"the folder {folder} can't be written ({error.strerror}): choose another --results"
        ) from error
