"""`bench new`: a file with a small attack or scheme that runs, to be changed."""

from __future__ import annotations

import re
from pathlib import Path

from benchmark.errors import BenchError
from benchmark.plugins.parameters import SETS, PluginRole
from benchmark.plugins.registry import Registry

STARTERS = Path(__file__).parent / "starters"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def new_plugin(role: PluginRole, name: str, out: Path | None) -> Path:
    """Write the starter of this role under another name; returns the file. Raises BenchError, and overwrites nothing.

    out: by default the name with underscores, in the current folder.
    """
    if not _NAME.fullmatch(name) or name in SETS:
        raise BenchError(
            f"{name!r} is no name for {_a(role)}: write lower-case words with dashes, such as weight-noise"
        )
    if taken := next((one for one in Registry.discover().of(role) if one.name == name), None):
        raise BenchError(f"the {role} name {name!r} is taken by {taken.source}: choose another")
    path = Path(name.replace("-", "_") + ".py") if out is None else out
    words = name.split("-")
    starter = (STARTERS / f"{role}.py").read_text()
    text = starter.replace(f"My{role.title()}", "".join(word.title() for word in words)).replace(f"my-{role}", name)
    first = f'"""{" ".join(words).capitalize()}: CHANGE ME, in one sentence."""\n'
    try:
        with path.open("x") as file:
            file.write(first + text.partition("\n")[2])
    except FileExistsError:
        raise BenchError(f"{path} is there already and is not overwritten: choose another --out") from None
    except OSError as error:
        raise BenchError(f"{path} can't be written ({error.strerror}): choose another --out") from None
    return path


def _a(role: PluginRole) -> str:
    return "an attack" if role == "attack" else "a scheme"
