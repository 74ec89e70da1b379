"""Which files lie in a store, and what each of them is by its place and name."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal[
    "record", "artefact", "key", "secret", "work", "log", "compiled", "lock", "temporary", "set aside", "foreign"
]

_ID = r"(?P<job>[0-9a-f]{64})"
_TENSORS = r"\.[a-z_]+\.safetensors"
_NAMES: tuple[tuple[Kind, str], ...] = (
    ("lock", "lock"),
    ("log", r"logs/[^/]+\.log"),
    ("secret", "keys/secret"),
    ("record", rf"records/(?P<folder>..)/{_ID}\.json"),
    ("artefact", rf"artefacts/(?P<folder>..)/{_ID}{_TENSORS}"),
    ("key", rf"keys/(?P<folder>..)/{_ID}{_TENSORS}"),
    ("work", r"work/.+"),
    ("compiled", r"compiled/.+"),
    ("temporary", r"(.+/)?\.[^/]+\.\d+\.tmp"),  # as benchmark.files names them
    ("set aside", r".+\.damaged"),
)


@dataclass(frozen=True)
class StoreFile:
    """job: the id in its name, of a record, an artefact or a key. name: its path below the store."""

    path: Path
    name: str
    kind: Kind
    job: str | None


def store_files(root: Path) -> Iterator[StoreFile]:
    """Everything in a store that is no folder, sorted; links are named and not followed, save those at the top."""
    entries = sorted(root.iterdir()) if root.is_dir() else []
    for entry in entries:
        if not entry.is_dir():
            yield _named(entry, entry.name)
            continue
        for folder, inside, names in os.walk(entry):
            linked = [name for name in inside if os.path.islink(os.path.join(folder, name))]
            inside.sort()
            for name in sorted([*names, *linked]):
                path = Path(folder, name)
                yield _named(path, path.relative_to(root).as_posix())


def _named(path: Path, name: str) -> StoreFile:
    for kind, pattern in _NAMES:
        if found := re.fullmatch(pattern, name, re.DOTALL):
            parts = found.groupdict()
            if "folder" in parts and not parts["job"].startswith(parts["folder"]):
                break
            return StoreFile(path, name, kind, parts.get("job"))
    return StoreFile(path, name, "foreign", None)
