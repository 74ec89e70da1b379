"""What a run was: profile, rows, columns, cells and job ids, as `run.json`. The pages need this and the records."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmark import __version__
from benchmark.data.tasks import find_task
from benchmark.errors import BenchError
from benchmark.planning.plan import Plan
from benchmark.planning.profile import Profile
from benchmark.plugins.registry import Broken
from benchmark.plugins.selection import Setting
from benchmark.vocabulary import RECORD_SCHEMA


def manifest(plan: Plan, run: str, command: str, broken: Sequence[Broken]) -> dict[str, Any]:
    """The JSON of a run: everything the pages say that no record holds."""
    return {
        "schema": RECORD_SCHEMA,
        "run": run,
        "version": __version__,
        "command": command,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "profile": plan.profile.described(),
        "data": [_track(track, plan.surrogates.get(track.task, 0)) for track in plan.profile.tracks],
        "schemes": [_scheme(setting, plan.profile) for setting in plan.schemes],
        "attacks": [_attack(setting) for setting in plan.attacks],
        "cells": [asdict(cell) for cell in plan.cells],
        "jobs": {job.id: {"kind": job.kind, "label": job.label, "parents": list(job.parents)} for job in plan.jobs},
        "broken": [{"path": str(one.path), "reason": one.reason} for one in broken],
    }


def _track(profile: Profile, surrogates: int) -> dict[str, Any]:
    """One task of the run, and by what its cells are read. surrogates: how many of them are nulls, too."""
    task = find_task(profile.task)
    described = {name: getattr(task, name) for name in ("kind", "unit", "owner", "thief", "test")}
    read_by = {name: getattr(profile, name) for name in ("architecture", "nulls", "alpha", "budget")}
    return {"task": task.name, **described, "sha256": task.data_hash(), **read_by, "surrogates": surrogates}


def _scheme(setting: Setting, profile: Profile) -> dict[str, Any]:
    stage, track = setting.stages[0], profile.track(setting.tasks)
    traits = stage.declaration.traits
    return {
        "label": setting.label,
        "name": stage.declaration.name,
        "doc": _first_line(stage.declaration.doc),
        "parameters": stage.parameters,
        "expected_failure": stage.declaration.expected_failure(stage.parameters),
        "expected_forgery": stage.declaration.expected_forgery(stage.parameters),
        "task": track.task if track else None,
        **{name: traits[name] for name in ("paper", "release", "court", "item", "host", "capabilities")},
    }


def _attack(setting: Setting) -> dict[str, Any]:
    first = setting.stages[0].declaration
    return {
        "label": setting.label,
        "doc": " ".join(_first_line(stage.declaration.doc) for stage in setting.stages),
        "paper": "; ".join(filter(None, (stage.declaration.traits["paper"] for stage in setting.stages))),
        "family": first.traits["family"],
        "kind": setting.kind,
        "access": setting.access,
        "tasks": list(setting.tasks),
        "requires": sorted(setting.requires),
        "target": first.traits["target"],
        "claim": setting.claim,
        "stages": [{"name": stage.declaration.name, "parameters": stage.parameters} for stage in setting.stages],
    }


def _first_line(doc: str) -> str:
    return doc.strip().split("\n\n")[0].replace("\n", " ")


def write_manifest(folder: Path, described: dict[str, Any]) -> None:
    """Write `run.json` atomically. Raises BenchError where the folder can't be written."""
    temporary = folder / f".run.json.{os.getpid()}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(described, indent=1, ensure_ascii=False))
        temporary.replace(folder / "run.json")
    except OSError as error:
        raise BenchError(
            f"the folder {folder} can't be written ({error.strerror}): choose another --results"
        ) from error
