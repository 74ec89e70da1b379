"""Importing somebody else's plug-ins in processes of their own, before anything rests on them.

A file that can't be imported, or whose class is no plug-in, would else be found out by the first job that needs it,
hours later perhaps.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmark.errors import BenchError, refused
from benchmark.execution.processes.lease import Zygote
from benchmark.execution.processes.process_state import ProcessState
from benchmark.execution.walls import Walls
from benchmark.files import json_value
from benchmark.planning.job import PluginSource
from benchmark.plugins.registry import load_class

IMPORT_SECONDS = 60.0
_MOST_LINES = 10_000
_CURES: tuple[tuple[type[BaseException], str], ...] = (
    (ModuleNotFoundError, "install that package, or put its file beside the plug-in"),
    (ImportError, "import what is there: `from benchmark import contract as wm` has all that a plug-in needs"),
    (SystemExit, 'a plug-in is imported and never run as a program: write that under `if __name__ == "__main__":`'),
)


@dataclass(frozen=True)
class Told:
    """What a process told line by line, and how it came to its end before its time, in words; None where it didn't."""

    lines: list[dict[str, Any]] = field(default_factory=list)
    ending: str | None = None


def told(
    zygote: Zygote, call: str, arguments: Mapping[str, Any], log: Path, around: Walls | None, seconds: float
) -> Told:
    """Let a process call `call`, `module:function`, which tells lines by `teller`, and end it after `seconds`."""
    lease = zygote.fork(call, arguments, log, around)
    found, deadline = Told(), time.monotonic() + seconds
    try:
        while len(found.lines) < _MOST_LINES:
            over = lease.ended()  # asked before reading, so that nothing it said is missed
            try:
                line = lease.read()
            except (EOFError, OverflowError):
                line, over = None, True
            if line is not None:
                if (said := _said(line)).get("end"):
                    return found
                found.lines.append(said)
            elif over:
                connection.wait([lease.line], 1.0)  # for how it ended
                lease.ended()
                how = f" (exit code {lease.exitcode})" if lease.exitcode is not None else ""
                return Told(found.lines, f"it ended the process that it ran in{how}")
            elif time.monotonic() > deadline:
                return Told(found.lines, f"it did not end within {seconds:g} s")
            else:
                connection.wait([lease.pipe, lease.line], 0.2)
        return Told(found.lines, "it told more than a check can say")
    finally:
        lease.end()


def _said(line: bytes) -> dict[str, Any]:
    try:
        found = json_value(line)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}


def teller(pipe: Connection) -> Callable[..., None]:
    """The other end of `told`: a function that tells a line of its keywords; `end=True` is the last."""
    out = os.fdopen(os.dup(pipe.fileno()), "wb")

    def tell(**said: Any) -> None:
        out.write(json.dumps(said, allow_nan=False).encode() + b"\n")
        out.flush()

    return tell


def imported(pipe: Connection, path: str, class_names: list[str]) -> None:
    """Import a plug-in's file in this process, and tell what is wrong with its classes, and what the import changed."""
    from benchmark.execution.processes.plugin_class import class_faults

    tell, before = teller(pipe), ProcessState()
    for name in class_names:
        try:
            for fault in class_faults(load_class(Path(path), name)):
                tell(class_name=name, fault=fault)
        except BenchError as error:
            tell(class_name=name, fault=f"{error}: {_cure(error.__cause__)}")
            break
    tell(changed=before.changed())
    tell(end=True)


def _cure(error: BaseException | None) -> str:
    if isinstance(error, TypeError) and "frozen" in str(error):
        return "write `@dataclass(frozen=True)` above every plug-in"
    if refused(error):
        return "a plug-in may write to a temporary folder alone, and nothing while it is imported"
    return next((cure for kind, cure in _CURES if isinstance(error, kind)), "mend that line")


def import_told(zygote: Zygote, path: Path, class_names: list[str], log: Path, around: Walls | None) -> Told:
    """What the import of a file tells: faults of its classes, sentences with file and line, and what it changed."""
    names = {"path": str(path), "class_names": class_names}
    found = told(zygote, f"{__name__}:imported", names, log, around, IMPORT_SECONDS)
    if found.ending is None:
        return found
    fault = f"{path}: while it was imported {found.ending}: write what takes long, or ends, inside a method"
    return Told([*found.lines, {"class_name": class_names[0], "fault": fault}])


def import_faults(zygote: Zygote, sources: Iterable[PluginSource], log: Path, around: Walls | None) -> Iterator[str]:
    """A sentence for each of these plug-ins that can't be used, each file in a process of its own."""
    files: dict[str, list[str]] = {}
    for source in sources:
        names = files.setdefault(source.path, [])
        if source.class_name not in names:
            names.append(source.class_name)
    for path, names in files.items():
        lines = import_told(zygote, Path(path), names, log, around).lines
        yield from (str(line["fault"]) for line in lines if "fault" in line)
