"""What a run was: profile, rows, columns, cells and job ids, as `run.json`. The pages need this and the records."""

from __future__ import annotations

import importlib.metadata
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmark.errors import BenchError
from benchmark.plan import Plan
from benchmark.records import SCHEMA
from benchmark.registry import Broken
from benchmark.selection import Setting
from benchmark.tasks import find_task


def manifest(plan: Plan, run: str, command: str, broken: Sequence[Broken]) -> dict[str, Any]:
    """The JSON of a run: everything the pages say that no record holds."""
    task = find_task(plan.profile.task)
    sizes = {"owner": task.owner, "thief": task.thief, "test": task.test}
    return {
        "schema": SCHEMA,
        "run": run,
        "version": importlib.metadata.version("watermark-bench"),
        "command": command,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "profile": plan.profile.described(),
        "data": {"task": task.name, "kind": task.kind, "unit": task.unit, **sizes, "sha256": task.data_hash()},
        "schemes": [_scheme(setting) for setting in plan.schemes],
        "attacks": [_attack(setting) for setting in plan.attacks],
        "cells": [asdict(cell) for cell in plan.cells],
        "jobs": {job.id: {"kind": job.kind, "label": job.label, "parents": list(job.parents)} for job in plan.jobs},
        "broken": [{"path": str(one.path), "reason": one.reason} for one in broken],
    }


def _scheme(setting: Setting) -> dict[str, Any]:
    stage = setting.stages[0]
    traits = stage.declaration.traits
    return {
        "label": setting.label,
        "name": stage.declaration.name,
        "doc": _first_line(stage.declaration.doc),
        "parameters": stage.parameters,
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
