"""What a check of a plug-in finds: that all is well, or one sentence with file and line and the cure."""

from __future__ import annotations

import dataclasses
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from benchmark.digest.modules import HOME
from benchmark.errors import NotApplicable, message_of, refused
from benchmark.execution.processes.plugin_class import place
from benchmark.protocol.objects import Key, Service
from benchmark.protocol.thief import UndeclaredAccess
from benchmark.store import artefacts

SPEC = (
    "a model is stored as tensors and a spec(), the JSON from which a function under @builder makes the empty net "
    'anew: write `@wm.builder("my-net")` above it and `def spec(self): return {"builder": "my-net", "width": '
    "self.width}` with its own arguments, or return a net that thief.build() made"
)
REBUILT_OTHERWISE = (
    "rebuilt from its spec() and tensors it answers otherwise: what decides its answers must be a parameter, a buffer "
    "or an argument in spec()"
)


@dataclass(frozen=True)
class CheckResult:
    """One check of one plug-in. fault: what is wrong, empty where nothing is. detail: what was seen."""

    check: str
    fault: str = ""
    detail: str = ""


class Fault(Exception):
    """A check failed; the message is the sentence."""


@contextmanager
def blamed(method: Any, file: Path) -> Iterator[None]:
    """Turn what a plug-in's method raises into a Fault, with the line of its own file or folder where it has one."""
    try:
        yield
    except Fault:
        raise
    except (Exception, SystemExit) as error:
        raise Fault(sentence(error, method, file)) from error


def sentence(error: BaseException, method: Any, file: Path) -> str:
    """What an error that came out of a plug-in means, where it was raised, and what to do."""
    frames = [one for one in traceback.extract_tb(error.__traceback__) if _is_own(Path(one.filename), file)]
    where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else place(method)
    text = message_of(error, 500)
    if isinstance(error, UndeclaredAccess):
        return f"{where}: {text}"
    if isinstance(error, NotApplicable):
        return f"{where}: it can't be run in this lab, so nothing of it was checked: {text}"
    if isinstance(error, TypeError) and "has no spec()" in text:
        return f"{where}: {text.partition(':')[0]}: {SPEC}"
    if isinstance(error, TypeError | ValueError) and not frames:  # the outer call's own words, which hold the cure
        return f"{where}: {text}"
    if refused(error):
        return f"{where}: {type(error).__name__}: {text}: write to a temporary folder (tempfile), and leave nothing"
    if isinstance(error, SystemExit):
        return f"{where}: it ends its process (SystemExit {text}): return or raise an error"
    return f"{where}: {type(error).__name__}: {text}: mend that line"


def _is_own(frame: Path, file: Path) -> bool:
    """Whether a line is of the plug-in's file, or of one beside it that is not the benchmark's."""
    return frame == file or (frame.parent == file.parent and not frame.is_relative_to(HOME))


def rebuilt(service: Service, known_before: set[str], method: Any) -> Service:
    """The service as a court gets it, from the bytes of a file. Raises Fault where the bytes don't make it."""
    for net in service.parts:
        name = net.spec.get("builder") if isinstance(net.spec, dict) else None
        if not isinstance(name, str) or name not in known_before:
            raise Fault(
                f"{place(method)}: no builder is called {name!r} once the file is imported: spec() must name one under "
                '"builder", and `@wm.builder("my-net")` stands at the top level of the file'
            )
    try:
        found = artefacts.unpacked(artefacts.packed("", service))
        for net in found.parts:
            net.module()
    except Exception as error:  # whatever a builder of the plug-in's raises
        text = message_of(error, 300)
        raise Fault(
            f"{place(method)}: what spec() describes does not take the tensors of the net ({type(error).__name__}: "
            f"{text}): spec() must give the builder every size, as JSON"
        ) from error
    return found


def differing_part(one: Service | Key, other: Service | Key) -> str | None:
    """The first part in which two results differ, in words; None where their files are equal byte by byte."""
    if artefacts.packed("", one) == artefacts.packed("", other):
        return None
    if isinstance(one, Service) and isinstance(other, Service):
        mine, its = one.net, other.net
        names = [name for name in mine.state if not _equal(mine.state[name], its.state.get(name))]
        return next(iter(names), "its spec or its filters")
    fields = (each.name for each in dataclasses.fields(one) if isinstance(one, Key))
    return next((name for name in fields if not _equal(getattr(one, name), getattr(other, name, None))), "its type")


def _equal(one: Any, other: Any) -> bool:
    return bool(one.shape == other.shape and (one == other).all()) if hasattr(one, "shape") else bool(one == other)


def maker(found: nn.Module, method: Any) -> Any:
    """What to blame for a module: its class, where that is the plug-in's, else the method that returned it."""
    own = getattr(type(found), "__module__", "") == getattr(method, "__module__", None)
    return type(found) if own else method
