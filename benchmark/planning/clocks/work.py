"""How much work a job is. The unit is an image that the house net is trained on: one forward and one backward pass.

What schemes, attacks and courts cost in that unit was measured once, from records: `work.json` holds it, and
`measure_work.py` makes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from benchmark.data.tasks import Task, find_task
from benchmark.description import read
from benchmark.vocabulary import JobKind

MEASURED = Path(__file__).with_name("work.json")
Per = Literal["host", "label", "image", "once", "suspect", "draw"]
REPEATS = ("steps", "rounds")  # parameters that multiply what an attack does once
TWIN = 2.0  # trainings of a host in that of a twin: 1 to 4, by the scheme it is a twin of
FORWARD = 1 / 3  # an answer, in trained images: backward counts twice as much as forward


@dataclass(frozen=True)
class MeasuredWork:
    """What one setting of a plug-in costs, by the processor time it took.

    scheme: by name, for an attack that knows the scheme. per: what the cost grows with, see `amount`. images: trained
    images of the house net that take as long, for each of these.
    """

    kind: Literal["marked", "attacked", "judged", "drawn"]
    plugin: str
    scheme: str
    parameters: Mapping[str, Any]
    per: Per
    images: float


@dataclass(frozen=True)
class WorkTable:
    """The file `work.json`. made: the command that wrote it. seconds: what a model costs beside work (`overhead`)."""

    made: str
    seconds: float
    work: list[MeasuredWork]


UNKNOWN: Mapping[str, MeasuredWork] = {  # plug-ins that no record has timed; what the built-in ones cost, roughly
    "marked": MeasuredWork("marked", "", "", {}, "image", 1.5),
    "attacked": MeasuredWork("attacked", "", "", {}, "image", 1.0),
    "judged": MeasuredWork("judged", "", "", {}, "suspect", 400.0),
    "drawn": MeasuredWork("drawn", "", "", {}, "draw", 400.0),
}


@cache
def work_table() -> WorkTable:
    return read(WorkTable, json.loads(MEASURED.read_bytes()), MEASURED.name)


@cache
def _measured() -> dict[tuple[str, str], list[MeasuredWork]]:
    found: dict[tuple[str, str], list[MeasuredWork]] = {}
    for one in work_table().work:
        found.setdefault((one.kind, one.plugin), []).append(one)
    return found


def overhead(kind: JobKind) -> float:
    """Seconds of processor time that making and answering a model takes whatever its work: data, files, checks."""
    return 0.0 if kind in ("judged", "drawn") else work_table().seconds


def trained_images(payload: Mapping[str, Any]) -> float:
    """The work of a job, in images that the house net is trained on: what a host takes is epochs x the owner's."""
    kind, world = payload["kind"], payload["world"]
    task = find_task(world["task"])
    if kind in ("judged", "drawn"):
        return sum(amount(one, payload, task, {}) * one.images for one, _ in _parts(payload))
    answers = FORWARD * task.test
    if kind in ("host", "null", "twin"):
        return float(world["training"]["epochs"] * task.owner) * (TWIN if kind == "twin" else 1.0) + answers
    return sum(amount(one, payload, task, parameters) * one.images for one, parameters in _parts(payload)) + answers


def _parts(payload: Mapping[str, Any]) -> Iterator[tuple[MeasuredWork, Mapping[str, Any]]]:
    """The plug-ins that work in a job, each with its parameters: a scheme, or the stages of an attack."""
    kind = payload["kind"]
    attacked = kind == "attacked"
    knows = payload["scheme"]["name"] if attacked and payload["scheme"] else ""
    for plugin in payload["stages"] if attacked else [payload["scheme"]]:
        yield nearest(kind, plugin["name"], knows, plugin["parameters"]), plugin["parameters"]


def nearest(kind: str, plugin: str, scheme: str, parameters: Mapping[str, Any]) -> MeasuredWork:
    """The measured setting that has most in common with this one: the scheme that is attacked, then parameters."""

    def likeness(one: MeasuredWork) -> tuple[bool, int]:
        return one.scheme == scheme, sum(parameters.get(name) == value for name, value in one.parameters.items())

    return max(_measured().get((kind, plugin), [UNKNOWN[kind]]), key=likeness)


def amount(work: MeasuredWork, payload: Mapping[str, Any], task: Task, parameters: Mapping[str, Any]) -> float:
    """How often what was measured is done in a job.

    host: trained images of a whole host. image: epochs x the images of the party that trains; label: x those of a
    thief's that have labels. once: as often as a parameter of `REPEATS` says. suspect, draw: for each of them.
    """
    epochs = payload["world"]["training"]["epochs"]
    if work.per == "suspect":
        return len(payload["suspects"])
    if work.per == "draw":
        return float(payload["draws"])
    if work.per == "host":
        return float(epochs * task.owner)
    if work.per == "once":
        return _first_number(parameters, REPEATS, 1.0)
    if payload["kind"] == "marked":
        return _first_number(parameters, ("epochs",), epochs) * task.owner
    return _first_number(parameters, ("epochs",), 1.0) * _images(payload["thief"], work.per, task)


def _images(thief: Mapping[str, Any], per: Per, task: Task) -> float:
    """How many images an attack uses; records before version 0.5 name a share of the pool, all with labels."""
    if "share" in thief:
        return float(thief["share"] * (task.owner if thief["pool"] == "owner" else task.thief))
    return float(thief["labelled"] + (0 if per == "label" else thief["unlabelled"]))


def _first_number(parameters: Mapping[str, Any], names: Sequence[str], otherwise: float) -> float:
    """The first of these parameters above 0: a plug-in of somebody else's may call a text so."""
    values = (parameters.get(name) for name in names)
    return float(next((one for one in values if isinstance(one, int | float) and one > 0), otherwise))
