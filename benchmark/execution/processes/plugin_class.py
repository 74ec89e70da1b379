"""Whether an imported class is a plug-in: a frozen dataclass with the methods of its contract. Nothing of it is called.

Each fault is one sentence with file and line, and says what to write.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from benchmark.protocol.attack import Attack
from benchmark.protocol.objects import Key
from benchmark.protocol.scheme import Scheme

_HEADING = re.compile(r"\s*(class|def)\b")
# what the benchmark calls, and with what
METHODS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "attack": {"run": ("thief",)},
    "scheme": {
        "keygen": ("party", "rng"), "embed": ("owner", "key"), "observe": ("suspect", "key", "court"),
        "rebind": ("key", "secret"),
    },
}  # fmt: skip


def place(thing: Any) -> str:
    """`file:line` of a class or a function, behind its decorators; where its source is gone, its name."""
    thing = inspect.unwrap(thing)
    try:
        lines, first = inspect.getsourcelines(thing)
        below = next((below for below, text in enumerate(lines) if _HEADING.match(text)), 0)
        return f"{inspect.getsourcefile(thing)}:{first + below}"
    except (TypeError, OSError):
        return str(getattr(thing, "__qualname__", type(thing).__qualname__))


def class_faults(found: type) -> Iterator[str]:
    """What keeps a class that was read as a plug-in from being one."""
    role = "attack" if issubclass(found, Attack) else "scheme" if issubclass(found, Scheme) else None
    if role is None:
        yield f"{place(found)}: {found.__name__} derives from none of the benchmark's own classes: " + (
            "write `from benchmark import contract as wm` and derive from wm.Attack or wm.Scheme"
        )
        return
    yield from _no_dataclass(found, "@dataclass(frozen=True)", "its parameters")
    if missing := sorted(getattr(found, "__abstractmethods__", ())):
        wanted = [f"`def {name}(self, {', '.join(METHODS[role].get(name, ()))})`" for name in missing]
        yield f"{place(found)}: {found.__name__} lacks {' and '.join(missing)}: write {' and '.join(wanted)}"
    for name, arguments in METHODS[role].items():
        method = getattr(found, name)
        if name not in missing and not _takes(method, 1 + len(arguments)):
            shown = f"{name}{inspect.signature(method)}"
            right = f"def {name}(self, {', '.join(arguments)})"
            yield f"{place(method)}: {shown} can't be called with what it gets: write `{right}`"
    if issubclass(found, Attack) and found.__call__ is not Attack.__call__:
        yield f"{place(found.__call__)}: __call__ is the benchmark's, with the rules that bind all: rename it to run"
    if issubclass(found, Scheme):
        yield from _key_faults(found)


def _no_dataclass(found: type, decorator: str, what: str) -> Iterator[str]:
    """A subclass that adds no field needs no decorator: that of the class above it serves."""
    own = [name for name, kind in inspect.get_annotations(found).items() if "ClassVar" not in str(kind)]
    decorated = "__dataclass_params__" in vars(found)
    if not dataclasses.is_dataclass(found) or (own and not decorated):
        yield f"{place(found)}: {found.__name__} is no dataclass, so {what} mean nothing: write `{decorator}` above it"
    elif not found.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        yield f"{place(found)}: {found.__name__} can be changed while it is used: write `{decorator}` above it"


def _takes(method: Callable[..., Any], count: int) -> bool:
    try:
        inspect.signature(method).bind(*[None] * count)
    except TypeError:
        return False
    return True


def _key_faults(found: type[Scheme[Any]]) -> Iterator[str]:
    key = getattr(found, "key_type", None)
    if key is None or not issubclass(key, Key):
        name = f"{found.__name__}Key"
        wanted = f"write `class {name}(wm.Key)` and `class {found.__name__}(wm.Scheme[{name}])`"
        yield f"{place(found)}: {found.__name__} names no type of key: {wanted}"
    else:
        yield from _no_dataclass(key, "@dataclass(frozen=True, kw_only=True)", "its fields")
